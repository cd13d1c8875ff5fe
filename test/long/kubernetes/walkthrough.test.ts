import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { identityFiles } from "../../../shared/identity.ts";
import { named } from "../../chaos/skipReason.ts";
import { until } from "../../chaos/until.ts";
import { blocks, commandsOf, docsPage, inlineCommands, section } from "../../deploy/docsCommands.ts";
import { type Cluster, noControlPlane, operatorDefinitions, startCluster, volume } from "./controlPlane.ts";
import { commandsRun, type DocsUser, docsUser, type NotRun } from "./docsUser.ts";
import {
  everyPod,
  extremes,
  imagesOf,
  podsOf,
  readyActors,
  readyAre,
  roles,
  rolledOut,
  uidsOf,
  volumesOf,
} from "./pods.ts";

const missing = noControlPlane();
const page = docsPage("docs/deploy.md");
const [images, makeFolder, check, secrets, start] = blocks(section(page, "Ten minutes"), "sh") as string[];
const [upgrade, renew] = blocks(section(page, "Upgrades"), "sh") as string[];

/** What nothing can answer where no container runs: realNode.test.ts runs these. Every other command of the page is run here. */
const withoutContainers: readonly NotRun[] = [
  { command: "^kubectl port-forward ", why: "a simulated pod listens nowhere" },
  { command: "^kubectl (exec|cp|logs) ", why: "a simulated pod has no process, no file and no log" },
  { command: "^kubectl get --raw /apis/external", why: "scaling.test.ts asks, with the adapter that serves it" },
  {
    command: "^npx anchorage (status|stop|resume) ",
    why: "there is no coordinator to ask",
  },
];
const scaledByHand = { command: "^kubectl scale ", why: "the page: without a HorizontalPodAutoscaler" };
const patched = { command: "^kubectl patch hpa ", why: "the page: with a HorizontalPodAutoscaler" };

const imagesWith = (tag: string): string[] => roles.map((role) => `registry.example/anchorage/${role}:${tag}`);

/** The files of each role's secret, as bytes in base64. */
async function secretsOf({ get }: Cluster): Promise<Record<string, Record<string, string>>> {
  const { items } = await get("secrets", "-n", "anchorage");
  return Object.fromEntries(items.map(({ metadata, data }) => [metadata.name, data]));
}

const certificatesOf = ({ clone }: DocsUser): Record<string, Record<string, string>> =>
  Object.fromEntries(
    roles.map((role) => [
      `anchorage-tls-${role}`,
      Object.fromEntries(
        Object.values(identityFiles).map((file) => [file, readFileSync(join(clone, "certs", role, file), "base64")]),
      ),
    ]),
  );

/** A user of an overlay, who has made its folder. */
async function begin(cluster: Cluster, overlay: string, notRun: readonly NotRun[]): Promise<DocsUser> {
  const user = await docsUser(cluster, overlay, [...withoutContainers, ...notRun]);
  await user.run(makeFolder!);
  user.kustomize();
  return user;
}

describe.skipIf(missing !== null)(named("docs/deploy.md on a cluster, as it stands:", missing), () => {
  it("base: from nothing to actors, another run, an upgrade, new certificates, lost parts, and away", async () => {
    const cluster = await startCluster(4);
    const user = await begin(cluster, "base", [scaledByHand]);

    const said = await user.run(check!);
    expect(said).toMatch(/^secrets: .*anchorage-tls-learner/m);
    for (const image of imagesWith("0.1.0")) expect(said).toContain(image);
    expect(said).toMatch(/^deployment.apps\/actor created \(server dry run\)$/m);
    expect((await cluster.get("deployments", "-A")).items).toEqual([]);

    await user.run(secrets!);
    const first = certificatesOf(user);
    expect(await secretsOf(cluster)).toEqual(first);

    await user.run(start!);
    await readyAre(cluster, 16); // the patch's
    expect(imagesOf(await everyPod(cluster))).toEqual(imagesWith("0.1.0"));

    // applied again, what was patched is as in the folder, and no pod begins anew
    const pods = uidsOf(await everyPod(cluster));
    await user.run("kubectl apply -k ../cluster");
    const [scaler] = (await cluster.get("hpa", "-n", "anchorage")).items;
    expect(scaler!.spec).toMatchObject({ minReplicas: 2, maxReplicas: 16 });
    expect(uidsOf(await everyPod(cluster))).toEqual(pods);

    // another name: everything of the run begins anew, with that name
    const [nats] = await podsOf(cluster, "nats");
    user.kustomize({ run: "cheetah-2" });
    await user.run("kubectl apply -k ../cluster");
    await rolledOut(cluster);
    await readyAre(cluster, 16);
    const renamed = await everyPod(cluster);
    expect(uidsOf(renamed).filter((uid) => pods.includes(uid))).toEqual([nats!.metadata.uid]);
    expect(await runName(cluster)).toBe("cheetah-2");

    // every pod gets the new image, and there are never two learners
    const claims = await volumesOf(cluster);
    user.kustomize({ tag: "0.2.0", run: "cheetah-2" });
    const upgraded = await extremes(cluster, async () => {
      await user.run(upgrade!);
      await rolledOut(cluster);
    });
    expect(upgraded.learners).toBe(1);
    expect(upgraded.actors).toBeGreaterThanOrEqual(12); // three quarters
    expect(imagesOf(await everyPod(cluster))).toEqual(imagesWith("0.2.0"));
    expect(await volumesOf(cluster)).toEqual(claims);

    // every pod is another, and each secret holds the new certificate of the same authority
    const before = uidsOf(await everyPod(cluster));
    const renewed = await extremes(cluster, async () => {
      await user.run(renew!);
      await rolledOut(cluster);
    });
    expect(renewed.learners).toBe(1);
    await readyAre(cluster, 16);
    expect(uidsOf(await everyPod(cluster)).filter((uid) => before.includes(uid))).toEqual([]);
    const second = certificatesOf(user);
    expect(await secretsOf(cluster)).toEqual(second);
    for (const [name, files] of Object.entries(second)) {
      expect(files["ca.crt"]).toBe(first[name]!["ca.crt"]);
      expect(files["tls.crt"]).not.toBe(first[name]!["tls.crt"]);
    }

    // whatever is lost is there again, on the same volumes
    const lost = (await Promise.all(roles.map((role) => podsOf(cluster, role)))).map(([pod]) => pod!);
    await user.run("kubectl delete pod -n anchorage coordinator-0");
    const others = lost.map(({ metadata }) => metadata.name as string).filter((name) => name !== "coordinator-0");
    await cluster.kubectl(["delete", "pod", "-n", "anchorage", ...others]);
    await readyAre(cluster, 16);
    expect(uidsOf(await everyPod(cluster)).filter((uid) => uidsOf(lost).includes(uid))).toEqual([]);
    expect(await volumesOf(cluster)).toEqual(claims);

    await user.run("kubectl delete -k ../cluster");
    const left = (await cluster.get("namespaces,priorityclasses")).items.map(({ metadata }) => metadata.name as string);
    expect(left.filter((name) => name.includes("anchorage"))).toEqual([]);
  });

  it("dev: no secrets, and `kubectl scale` has the say until it is applied again", async () => {
    const cluster = await startCluster(1);
    const user = await begin(cluster, "overlays/dev", [patched]);
    expect(await user.run(check!)).toMatch(/^secrets: none$/m);
    await user.run(start!);
    await readyAre(cluster, 8);
    expect((await cluster.get("secrets,hpa", "-n", "anchorage")).items).toEqual([]);
    await user.run("kubectl apply -k ../cluster");
    await readyAre(cluster, 2);
  });

  it("gpu: the learner waits for a GPU, as the page says, and goes to the node that has one", async () => {
    const cluster = await startCluster(3);
    for (const file of await operatorDefinitions()) await cluster.kubectl(["apply", "--server-side", "-f", file]);
    const user = await begin(cluster, "overlays/gpu", [scaledByHand]);
    expect(await user.run(check!)).toContain("registry.example/anchorage/learner-gpu:0.1.0");
    await user.run(secrets!);
    await user.run("kubectl apply -k ../cluster");
    await says(user, cluster, "learner", ofPage("Insufficient nvidia.com/gpu"));
    const resources = { "nvidia.com/gpu": "1" };
    const status = JSON.stringify({ status: { capacity: resources, allocatable: resources } });
    await cluster.kubectl(["patch", "node", "node-1", "--subresource=status", "-p", status]);
    await user.run(start!);
    await readyAre(cluster, 16);
    expect((await podsOf(cluster, "learner"))[0]!.spec.nodeName).toBe("node-1");
  });

  it("spot: says what the cluster lacks; then actors on spot nodes, everything else on others", async () => {
    const cluster = await startCluster(3);
    const user = await begin(cluster, "overlays/spot", [scaledByHand]);
    await expect(user.run(check!)).rejects.toThrow(ofPage('no matches for kind "ServiceMonitor"'));
    for (const file of await operatorDefinitions()) await cluster.kubectl(["apply", "--server-side", "-f", file]);
    await cluster.kubectl(["label", "node", "node-2", "karpenter.sh/capacity-type=spot"]);
    await user.run(check!);
    await user.run(secrets!);
    await user.run(start!);
    await readyAre(cluster, 16);
    for (const { metadata, spec } of await everyPod(cluster))
      expect([metadata.name, spec.nodeName === "node-2"]).toEqual([metadata.name, /^actor/.test(metadata.name)]);
  });

  it("what is wrong is said as the page has it, before it is applied, and heals once it is mended", async () => {
    const cluster = await startCluster(2);
    const user = await begin(cluster, "base", [scaledByHand]);
    const written = readFileSync(join(user.cluster, "kustomization.yaml"), "utf8");
    const patch = (of: object): string => `${written}patches: ${JSON.stringify([{ patch: JSON.stringify(of) }])}\n`;
    const actor = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "actor" } };
    const scaler = { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", metadata: { name: "actor" } };
    for (const [wrong, words] of [
      [{ ...actor, spec: { replica: 2 } }, ofPage('unknown field "spec.replica"')],
      [
        { ...scaler, spec: { minReplicas: 20 } },
        ofPage("spec.maxReplicas: Invalid value: 16: must be greater than or"),
      ],
    ] as const) {
      user.write("kustomization.yaml", patch(wrong));
      await expect(user.run(check!)).rejects.toThrow(words);
    }
    user.write("kustomization.yaml", written);
    user.write("run.yaml", "env: HalfCheetah-v4\ngamma: 2\n");
    await expect(user.run(check!)).rejects.toThrow(/gamma/);
    await user.run("cp deploy/kubernetes/base/run.yaml ../cluster");

    // without a default StorageClass: pods wait, and start by themselves once there is one
    await cluster.kubectl(["delete", "pv", "--all"]);
    await user.run(check!);
    await user.run(secrets!);
    await user.run("kubectl apply -k ../cluster");
    await says(user, cluster, "coordinator", ofPage("unbound immediate PersistentVolumeClaims"));
    await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(storage));
    await until("all are ready", async () => (await readyActors(cluster)) === 2);
    await readyAre(cluster, 2);
  });

  // after all others of this file, which do the rest
  it("no command of the page is left out without a reason", () => {
    const own = section(page, "Ten minutes") + section(page, "Upgrades");
    const commands = [
      ...[...commandsOf(page, "kubectl"), ...inlineCommands(page, "kubectl")].map(
        (words) => `kubectl ${words.join(" ")}`,
      ),
      ...commandsOf(own, "npx").map((words) => `npx ${words.join(" ")}`),
    ];
    const isRun = (command: string): boolean => {
      const pattern = new RegExp(
        `^${escaped(command)
          .replaceAll("\\$role", "\\w+")
          .replace(/\bNAME\b/, "\\S+")}$`,
      );
      return commandsRun.some((line) => pattern.test(line));
    };
    const matching = ({ command }: NotRun): string[] => commands.filter((each) => new RegExp(command).test(each));
    const reasoned = withoutContainers.flatMap(matching);
    expect(commands.filter((command) => !isRun(command) && !reasoned.includes(command))).toEqual([]);
    for (const not of withoutContainers) expect(matching(not), not.why).not.toEqual([]);
    expect(images).not.toMatch(/kubectl|npx/); // docker's: test/long/containers
  });
});

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Words that the page gives for something, which the cluster is to say. */
function ofPage(words: string): string {
  expect(page).toContain(`\`${words}`);
  return words;
}

/** Until `kubectl describe` has the words on a role's pod. */
async function says(user: DocsUser, cluster: Cluster, role: string, words: string): Promise<void> {
  await until(`${role}: ${words}`, async () => {
    const [pod] = await podsOf(cluster, role);
    return (
      pod !== undefined && (await user.run(`kubectl describe pod -n anchorage ${pod.metadata.name}`)).includes(words)
    );
  });
}

/** The name of the run that the coordinator's pod is told. */
async function runName(cluster: Cluster): Promise<string> {
  const [pod] = await podsOf(cluster, "coordinator");
  const { name, key } = pod!.spec.containers[0].env.find((each: { name: string }) => each.name === "RUN").valueFrom
    .configMapKeyRef;
  const { items } = await cluster.get("configmaps", "-n", "anchorage");
  return items.find(({ metadata }) => metadata.name === name)!.data[key];
}

/** A default one, and volumes of it: nothing here makes them on demand. */
const storage = {
  apiVersion: "v1",
  kind: "List",
  items: [
    {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name: "here", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
      provisioner: "kubernetes.io/no-provisioner",
    },
    ...["c", "d"].map((name) => volume(name, { hostPath: { path: `/volumes/${name}` }, storageClassName: "here" })),
  ],
};
