import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { updateRecords } from "../../chaos/runRecord.ts";
import { named } from "../../chaos/skipReason.ts";
import { until } from "../../chaos/until.ts";
import { blocks, docsPage, section } from "../../deploy/docsCommands.ts";
import { kubernetesFolder } from "../../deploy/rendered.ts";
import { buildImages, imageOf } from "../containers/images.ts";
import type { Cluster } from "./controlPlane.ts";
import { docsUser, type NotRun } from "./docsUser.ts";
import { everyPod, imagesOf, podsOf, readyAre, roles, rolledOut } from "./pods.ts";
import { noRealNode, startRealNode } from "./realNode.ts";

const missing = noRealNode();
const minutes = 60_000;
const page = docsPage("docs/deploy.md");
const [, makeFolder, check, secrets, start] = blocks(section(page, "Ten minutes"), "sh") as string[];
const [upgrade, renew] = blocks(section(page, "Upgrades"), "sh") as string[];
const tooMany: readonly NotRun[] = [
  { command: "^kubectl (scale|patch hpa) ", why: "so many actors are more than a node of two cores can hold" },
];

/** Requests and a most of actors that two cores have room for. */
const small = `patches:
  - target: { kind: Deployment|StatefulSet }
    patch: |
      - { op: replace, path: /spec/template/spec/containers/0/resources/requests/cpu, value: 50m }
  - target: { kind: HorizontalPodAutoscaler }
    patch: |
      - { op: replace, path: /spec/maxReplicas, value: 3 }
`;

async function nodeWithImages(): Promise<Cluster> {
  await buildImages();
  const names = (role: string): string[] =>
    ["0.1.0", "0.2.0"].map((tag) => `registry.example/anchorage/${role}:${tag}`);
  return startRealNode(Object.fromEntries(roles.map((role) => [imageOf(role), names(role)])));
}

/** The commands of a block one by one; those that forward a port in a terminal of their own, as the page says. */
async function follow(cluster: Cluster, block: string, run: (line: string) => Promise<string>): Promise<string[]> {
  const said: string[] = [];
  for (const line of block.split("\n").filter(Boolean))
    if (line.startsWith("kubectl port-forward ")) await forward(cluster, line);
    else said.push(await run(line));
  return said;
}

/** By the port that they listen on. */
const terminals = new Map<string, ChildProcess>();

/** One on the same port is ended first, where it has not ended with its pod. */
async function forward({ kubeconfig }: Cluster, line: string): Promise<void> {
  const [, port] = / (\d+)(?: |$)/.exec(line) as unknown as [string, string];
  await end(terminals.get(port));
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  const terminal = spawn("bash", ["-c", `exec ${line}`], { env, stdio: ["ignore", "pipe", "inherit"] });
  terminals.set(port, terminal);
  onTestFinished(() => end(terminal));
  let told = "";
  terminal.stdout.on("data", (chunk: Buffer) => {
    told += String(chunk);
  });
  await until(line, async () => told.includes("Forwarding from"));
}

async function end(terminal?: ChildProcess): Promise<void> {
  if (terminal === undefined || terminal.exitCode !== null || terminal.signalCode !== null) return;
  terminal.kill("SIGINT");
  await once(terminal, "exit");
}

/** On this machine: of the volume that the coordinator got. */
function runFolder({ folder }: Cluster, run: string): string {
  const volumes = readdirSync(folder).filter((name) => name.startsWith("volume-"));
  return volumes.map((name) => join(folder, name, run)).find(existsSync) ?? "";
}

describe.skipIf(missing !== null)(named("docs/deploy.md on a node with real containers:", missing), () => {
  it("base: a run trains behind TLS and policies, survives the loss of every part, is upgraded and gets new certificates", async () => {
    const cluster = await nodeWithImages();
    const { kubectl } = cluster;
    const exec = (pod: string, ...command: string[]): Promise<string> =>
      kubectl(["exec", "-n", "anchorage", pod, "--", ...command]);
    const user = await docsUser(cluster, "base", tooMany);
    await user.run(makeFolder!);
    const kustomize = (tag: string): void => {
      user.kustomize({ tag });
      user.write("kustomization.yaml", `${readFileSync(join(user.cluster, "kustomization.yaml"), "utf8")}${small}`);
    };
    kustomize("0.1.0");
    user.write("run.yaml", "env: CartPole-v1\nenvBatchSize: 1\ntotalSteps: 500000000\n");
    await user.run(check!);

    // without its secret a pod waits, and starts by itself once it is there
    await user.run("kubectl apply -k ../cluster");
    const words = 'secret "anchorage-tls-learner" not found';
    expect(page).toContain(`\`${words}\``);
    await until("the missing secret is told", async () =>
      (await kubectl(["describe", "pods", "-n", "anchorage"])).includes(words),
    );
    await user.run(secrets!);

    const said = await follow(cluster, start!, user.run);
    await readyAre(cluster, 3); // busy actors are more than the autoscaler's least, two
    const [scaler] = (await cluster.get("hpa", "-n", "anchorage")).items;
    expect(scaler!.status.currentMetrics[0].resource.current.averageUtilization).toBeGreaterThan(60);
    const updates = (): number => updateRecords(runFolder(cluster, "cheetah-1")).length;
    const goesOn = async (): Promise<void> => {
      const before = updates();
      await until("the run goes on", async () => updates() >= before + 2, 8 * minutes);
    };
    await goesOn();
    expect(said.join("\n")).toMatch(/^run \S+: running, generation 1$/m);
    const token = await exec("coordinator-0", "cat", "/data/cheetah-1/secrets/control-token");
    expect(said).toContain(token);
    expect(await (await fetch("http://localhost:7480/")).text()).toContain("<title>");
    const policy = join(user.clone, "policy.onnx");
    const copy = start!.split("\n").find((line) => line.startsWith("kubectl cp "))!;
    await until("a first checkpoint's policy is there", async () => {
      await user.run(copy);
      return existsSync(policy) && statSync(policy).size > 1000;
    });

    const [actor] = await podsOf(cluster, "actor");
    expect(await exec(actor!.metadata.name, "id", "-u")).toBe("10001");
    await expect(exec(actor!.metadata.name, "touch", "/anywhere")).rejects.toThrow(/Read-only file system/);
    await onlyTheArrows(cluster);

    // every part is lost without a warning
    for (const role of roles) {
      const [pod] = await podsOf(cluster, role);
      await kubectl(["delete", "pod", "-n", "anchorage", pod!.metadata.name, "--grace-period=0", "--force"]);
      await goesOn();
    }
    await readyAre(cluster, 3);

    kustomize("0.2.0");
    await forward(cluster, "kubectl port-forward -n anchorage service/coordinator 7400"); // to another pod
    await follow(cluster, upgrade!, user.run);
    await rolledOut(cluster);
    await readyAre(cluster, 3);
    expect(imagesOf(await everyPod(cluster))).toEqual(roles.map((role) => `registry.example/anchorage/${role}:0.2.0`));
    await goesOn();

    await user.run(renew!);
    await rolledOut(cluster);
    await readyAre(cluster, 3);
    await goesOn();
    const restarts = (await everyPod(cluster)).map(({ status }) => status.containerStatuses[0].restartCount);
    expect(restarts).toEqual(restarts.map(() => 0)); // no probe has killed anything
  });

  it("dev: ten minutes are enough; a run that is over leaves pods that live, and are not ready", async () => {
    const cluster = await nodeWithImages();
    const { kubectl } = cluster;
    const began = performance.now();
    const user = await docsUser(cluster, "overlays/dev", tooMany);
    await user.run(makeFolder!);
    user.kustomize();
    user.write("kustomization.yaml", `${readFileSync(join(user.cluster, "kustomization.yaml"), "utf8")}${small}`);
    user.write("run.yaml", "env: CartPole-v1\nenvBatchSize: 2\ntotalSteps: 100000\n");
    await user.run(check!);
    await user.run("kubectl apply -k ../cluster");
    await user.run("kubectl rollout status deployment/actor -n anchorage");
    const state = (): string => readFileSync(join(runFolder(cluster, "cheetah-1"), "state.json"), "utf8");
    await until("it trains", async () => updateRecords(runFolder(cluster, "cheetah-1")).length > 0);
    expect(performance.now() - began).toBeLessThan(10 * minutes);
    await kubectl(["scale", "deployment", "actor", "-n", "anchorage", "--replicas=3"]);
    await until("the run is over", async () => JSON.parse(state()).state === "FINISHED", 8 * minutes);

    const [learner] = await podsOf(cluster, "learner");
    const probes = async (result: string): Promise<number> => {
      const all = await kubectl(["get", "--raw", "/api/v1/nodes/node-0/proxy/metrics/probes"]);
      const [count] = all
        .split("\n")
        .filter((line) => /container="learner"/.test(line) && /probe_type="Liveness"/.test(line))
        .filter((line) => line.includes(`result="${result}"`));
      return Number(count?.split(" ").at(-1) ?? 0);
    };
    const lived = await probes("successful");
    await until("the learner is asked again and again", async () => (await probes("successful")) >= lived + 3);
    expect(await probes("failed")).toBe(0);
    const [same] = await podsOf(cluster, "learner");
    expect(same!.metadata.uid).toBe(learner!.metadata.uid);
    expect(same!.status.containerStatuses[0]).toMatchObject({ ready: false, restartCount: 0 });
    for (const pod of ["coordinator-0", same!.metadata.name as string])
      expect(await kubectl(["logs", "-n", "anchorage", pod])).not.toMatch(/Protocol error/); // as the probes once were told
  });
});

const connect = `const [host, port] = process.argv.slice(1);
const socket = require("net").connect({ host, port: Number(port) });
const say = (word) => { console.log(word); process.exit(); };
socket.setTimeout(2000, () => say("shut"));
socket.on("connect", () => say("open"));
socket.on("error", (error) => say(error.code));`;

/** Every pod that has node tries every port of every other one; so do one of another namespace, and one that scrapes. */
async function onlyTheArrows(cluster: Cluster): Promise<void> {
  const { kubectl } = cluster;
  const policy = join(kubernetesFolder, "components", "prometheus", "networkPolicy.yaml");
  await kubectl(["apply", "-n", "anchorage", "-f", policy]);
  await kubectl(["create", "namespace", "monitoring"]);
  const guests = [
    { name: "prometheus", namespace: "monitoring", labels: "app.kubernetes.io/name=prometheus" },
    { name: "stranger", namespace: "monitoring", labels: "app.kubernetes.io/name=stranger" },
    { name: "stranger", namespace: "default", labels: "app.kubernetes.io/name=prometheus" },
  ];
  for (const { name, namespace, labels } of guests) {
    const image = "--image=registry.example/anchorage/coordinator:0.1.0";
    await kubectl(["run", name, "-n", namespace, "-l", labels, image, "--command", "--", "sleep", "infinity"]);
  }
  for (const { name, namespace } of guests)
    await kubectl(["wait", "pod", name, "-n", namespace, "--for=condition=Ready", "--timeout=120s"]);
  const pods = await Promise.all(roles.map(async (role) => (await podsOf(cluster, role))[0]!));
  const asking = pods.filter((_, i) => roles[i] !== "nats"); // its image holds nothing that could ask
  const from = [...asking, ...guests.map((metadata) => ({ metadata }))];
  const open: string[] = [];
  for (const { metadata } of from)
    for (const [i, { status, spec }] of pods.entries())
      for (const { containerPort } of spec.containers[0].ports) {
        const ask = ["exec", "-n", metadata.namespace, metadata.name, "--", "node", "-e", connect];
        const said = await kubectl([...ask, status.podIP, String(containerPort)]);
        expect(said).toMatch(/^(open|shut)$/);
        if (said === "open" && metadata.name !== pods[i]!.metadata.name)
          open.push(`${metadata.name.split("-")[0]} -> ${roles[i]}:${containerPort}`);
      }
  expect(open.sort()).toEqual([
    "actor -> coordinator:7400",
    "actor -> learner:7401",
    "actor -> nats:4222",
    "learner -> coordinator:7400",
    "learner -> nats:4222",
    "prometheus -> actor:9402",
    "prometheus -> coordinator:9400",
    "prometheus -> learner:9401",
  ]);
}
