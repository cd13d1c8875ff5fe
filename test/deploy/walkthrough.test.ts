import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { controlTokenFile } from "../../coordinator/controlToken.ts";
import { identityFiles } from "../../shared/identity.ts";
import { projectRoot } from "../../shared/nativeParts.ts";
import { named } from "../chaos/skipReason.ts";
import { ask, servePage } from "../coordinator/page/pageClient.ts";
import { CertificateFolders } from "../shared/certificateFolders.ts";
import { run, temporaryFolder } from "../system/command.ts";
import { allowedArrows } from "./arrows.ts";
import { blocks, commandsOf, docsPage, section } from "./docsCommands.ts";
import { namesWhatIsThere } from "./kubectlCommand.ts";
import { kubernetesFolder, kustomizations, noKubectl, onceFor, overlayOn, rendered, workloads } from "./rendered.ts";
import { kustomizationOn, userFolder } from "./userFolder.ts";

const missing = noKubectl();
const page = docsPage("docs/deploy.md");
const observability = docsPage("docs/observability.md");
const kubectl = commandsOf(page, "kubectl");
const kustomization = blocks(page, "yaml")[0]!;
const runName = (parse(kustomization).configMapGenerator[0].literals[0] as string).replace("name=", "");
const verbs = (verb: string): string[][] => kubectl.filter(([first]) => first === verb);
const of = onceFor(rendered);

function folderOfTest(): string {
  const folder = temporaryFolder();
  onTestFinished(folder.remove);
  return folder.path;
}

/** The page's own kustomization on one of ours, beside a clone. */
function asWritten(name: string): string {
  const { cluster, write } = userFolder();
  mkdirSync(cluster);
  write("kustomization.yaml", kustomizationOn(name));
  write("run.yaml", "env: HalfCheetah-v4\nenvBatchSize: 8\nseed: 7\n");
  return cluster;
}

describe.skipIf(missing !== null)(named("docs/deploy.md", missing), () => {
  it.each(kustomizations)("every kubectl command names what there is in %s", async (name) => {
    const { objects, settings } = await of(name);
    expect(kubectl.length).toBeGreaterThan(11);
    for (const command of kubectl)
      expect(namesWhatIsThere(command, { objects, deploy: settings!.deploy, runName }), command.join(" ")).toBe("");
  });

  it.each(kustomizations)(
    "its kustomization renders, with the registry, name and run that it gives: %s",
    async (name) => {
      const { problems, images, settings, objects } = await rendered(asWritten(name));
      expect(problems).toEqual([]);
      expect(images.filter((image) => !/^registry\.example\/anchorage\/[\w-]+:0\.1\.0$/.test(image))).toEqual([]);
      expect(settings?.run.seed).toBe(7);
      const config = objects.find(({ kind, data }) => kind === "ConfigMap" && data["run.yaml"] !== undefined)!;
      expect(config.data.name).toBe(runName);
    },
  );

  it("the patch of the autoscaler applies, and asks for no more actors than have work", async () => {
    const [patch] = verbs("patch").map((words) => JSON.parse(words[words.indexOf("-p") + 1]!));
    const whole = {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "actor" },
      ...patch,
    };
    const patches = JSON.stringify([{ patch: JSON.stringify(whole) }]);
    const { problems, objects } = await rendered(
      overlayOn("overlays/spot", { "kustomization.yaml": `patches: ${patches}` }),
    );
    expect(problems).toEqual([]);
    expect(objects.find(({ kind }) => kind === "HorizontalPodAutoscaler")!.spec).toMatchObject(patch.spec);
  });

  it("the one that scales by hand asks for no more actors than have work where there is no autoscaler", async () => {
    const { settings } = await of("overlays/dev");
    const { envs, envBatchSize } = settings!.run as { envs: number; envBatchSize: number };
    const [replicas] = verbs("scale").map((words) => Number(/--replicas=(\d+)/.exec(words.join(" "))![1]));
    expect(replicas).toBeLessThanOrEqual(envs / envBatchSize);
  });

  it("its certificates and secrets are what the pods mount and the processes read, for the names that they call", async () => {
    const [make] = commandsOf(page, "npx anchorage").filter(([command]) => command === "certificates");
    const folder = folderOfTest();
    expect((await run(make!, { cwd: folder })).status).toBe(0);
    const { secrets, settings } = await of("base");
    for (const field of ["coordinator", "learnerAdvertise", "nats"])
      expect(make!.join(" ")).toContain(`--host ${(settings!.deploy[field] as string).split(":")[0]}`);
    const [create] = verbs("create").filter(([, kind]) => kind === "secret");
    const roles = /^for role in (.*); do\n {2}kubectl create secret/m.exec(page)![1]!.split(" ");
    for (const role of roles) {
      const args = create!.map((word) => word.replaceAll("$role", role));
      const { stdout } = await execa("kubectl", [...args, "--dry-run=client", "-o", "json"], { cwd: folder });
      const secret = JSON.parse(stdout) as { metadata: { name: string }; data: object };
      expect(secrets).toContain(secret.metadata.name);
      expect(Object.keys(secret.data).sort()).toEqual(Object.values(identityFiles).sort());
    }
    expect(roles).toHaveLength(secrets.length);
  });

  it("docs/observability.md gives all objects the label of a Prometheus, and the dashboards to an overlay without", async () => {
    const [, labels, release] = /`(labels: \[\{ pairs: \{ release: (\w+) \} \}\])`/.exec(observability)!;
    const { objects } = await rendered(overlayOn("overlays/spot", { "kustomization.yaml": labels! }));
    expect(objects.filter(({ metadata }) => metadata.labels?.release !== release)).toEqual([]);
    const actor = objects.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === "actor")!;
    expect(actor.spec.selector.matchLabels).not.toHaveProperty("release"); // it could not be changed in a cluster
    const [, component] = /`components: \[anchorage\/(.*?)\]`/.exec(observability)!;
    const folder = overlayOn("overlays/dev", {});
    const path = relative(folder, join(projectRoot, component!));
    writeFileSync(
      join(folder, "kustomization.yaml"),
      `resources: [${relative(folder, kubernetesFolder)}/overlays/dev]\ncomponents: [${path}]\n`,
    );
    const dashboards = (await rendered(folder)).objects.filter(
      ({ metadata }) => metadata.labels?.grafana_dashboard === "1",
    );
    expect(dashboards).toHaveLength(2);
  });

  it("what it gives for clusters that differ applies: a registry's secret, Prometheus, DNS and nodes elsewhere", async () => {
    const patches = blocks(section(page, "Clusters that differ"), "yaml").map((text) => parse(text).patches);
    expect(patches).toHaveLength(4);
    const yaml = `patches: ${JSON.stringify(patches.flat())}\n`;
    const { problems, objects } = await rendered(overlayOn("overlays/spot", { "kustomization.yaml": yaml }));
    expect(problems).toEqual([]);
    const accounts = objects.filter(({ kind }) => kind === "ServiceAccount");
    expect(accounts.map(({ imagePullSecrets }) => imagePullSecrets)).toEqual(Array(4).fill([{ name: "registry" }]));
    for (const { pod } of workloads(objects)) expect(pod.nodeSelector).toEqual({ "kubernetes.io/arch": "amd64" });
    const policy = (name: string) =>
      objects.find(({ kind, metadata }) => kind === "NetworkPolicy" && metadata.name === name)!.spec;
    expect(policy("names").egress[0].to).toContainEqual({ ipBlock: { cidr: "10.96.0.10/32" } });
    expect(policy("metrics").ingress[0].from[0].namespaceSelector.matchLabels).toEqual({
      "kubernetes.io/metadata.name": "prometheus",
    });
    const arrows = allowedArrows(objects); // those of the shipped names are still there, but for Prometheus's
    expect(arrows).toContain("actor -> dns:53");
    expect(arrows.filter((arrow) => arrow.startsWith("prometheus"))).toEqual([]);
  });

  it.each(kustomizations)("the page has the port that is forwarded to, which nothing else knows: %s", async (name) => {
    const { settings, objects } = await of(name);
    const [forward] = verbs("port-forward").filter((words) => words.includes("pod/coordinator-0"));
    const port = forward!.at(-1)!;
    expect(page).toContain(`http://localhost:${port}`);
    expect(settings!.deploy).toMatchObject({ page: "on", pageListen: `127.0.0.1:${port}` }); // kubectl comes from inside the pod
    const others = objects.filter(({ kind }) => kind !== "ConfigMap");
    expect(JSON.stringify(others)).not.toContain(port); // no Service, probe or NetworkPolicy
  });

  it("the page is then shown without a certificate, as the base has it, to localhost and to nobody else", async () => {
    const { deploy } = (await of("base")).settings!;
    const own = { tls: await (await CertificateFolders.make()).of("coordinator"), metricsHost: "127.0.0.1" };
    const ports = { coordinatorListen: "127.0.0.1:0", pageListen: (deploy.pageListen as string).replace(/\d+$/, "0") };
    const served = await servePage({ deploy: { ...deploy, ...own, ...ports, coordinatorMetricsPort: 0 } });
    expect(served.page).toMatch(/^http:/);
    const status = async (host: string): Promise<number> => (await ask(served.page, { headers: { host } })).status;
    expect(await Promise.all(["localhost:7480", "127.0.0.1:8080", "coordinator-0"].map(status))).toEqual([
      200, 200, 421,
    ]);
  });
});

const pages = ["docs/deploy.md", "deploy/README.md", "docs/observability.md", "docs/security.md", "docs/page.md"];
const anchorage = pages.flatMap((name) => commandsOf(docsPage(name), "npx anchorage"));

it.each([...new Set(anchorage.map(([command]) => command!))])(
  "`anchorage %s` has the flags that the pages give it",
  async (command) => {
    const { stdout, status } = await run([command, "--help"]);
    expect(status).toBe(0);
    const given = anchorage.filter(([first]) => first === command).flat();
    for (const flag of given.filter((word) => word.startsWith("--")))
      expect(stdout).toMatch(new RegExp(`${flag.split("=")[0]}\\b`));
  },
);

it("the control token is where the page says", () => {
  const [read] = verbs("exec").filter((words) => words.includes("cat"));
  const path = read!.at(-1)!;
  expect(path).toBe(controlTokenFile(dirname(dirname(path))));
});

it("the metric that the page has a look at is the one that actors are scaled by", async () => {
  const [, namespace, metric] = /external\.metrics\.k8s\.io\/v1beta1\/namespaces\/(\w+)\/(\w+)/.exec(page)!;
  const file = join(kubernetesFolder, "components", "prometheus", "scaleByWaiting.yaml");
  const [{ value }] = parse(readFileSync(file, "utf8"));
  expect([namespace, metric]).toEqual(["anchorage", value[0].external.metric.name]);
});

it("the tests that the page names are there", () => {
  const names = new Set(page.match(/\btest\/[\w/]+/g));
  expect(names.size).toBeGreaterThan(12);
  const there = (name: string): boolean =>
    [name, `${name}.test.ts`].some((path) => existsSync(join(projectRoot, path)));
  expect([...names].filter((name) => !there(name))).toEqual([]);
});
