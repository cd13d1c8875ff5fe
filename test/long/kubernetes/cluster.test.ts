import { join } from "node:path";
import { expect, it } from "vitest";
import { certificates } from "../../../cli/certificates.ts";
import { named } from "../../chaos/skipReason.ts";
import { until } from "../../chaos/until.ts";
import { kubernetesFolder, overlayOn } from "../../deploy/rendered.ts";
import {
  type Cluster,
  isReady,
  type KubernetesItem,
  noControlPlane,
  operatorDefinitions,
  startCluster,
} from "./controlPlane.ts";

const missing = noControlPlane();
const roles = ["actor", "coordinator", "learner", "nats"];
const minutes = 60_000;

const podsOf = async ({ get }: Cluster, role: string): Promise<KubernetesItem[]> => {
  const { items } = await get("pods", "-n", "anchorage", "-l", `app.kubernetes.io/component=${role}`);
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
};
const readyActors = async (cluster: Cluster): Promise<number> =>
  (await podsOf(cluster, "actor")).filter(isReady).length;

/** As docs/deploy.md says it: certificates, a secret for each role, apply. */
async function applySecured(cluster: Cluster, overlay: string): Promise<void> {
  const { kubectl, folder } = cluster;
  const certs = join(folder, "certs");
  await certificates(certs, { host: ["coordinator", "learner", "nats"], days: 30 });
  await kubectl(["create", "namespace", "anchorage"]);
  for (const role of roles) {
    const from = ["ca.crt", "tls.crt", "tls.key"].map((file) => `--from-file=${join(certs, role, file)}`);
    await kubectl(["create", "secret", "generic", `anchorage-tls-${role}`, "-n", "anchorage", ...from]);
  }
  await kubectl(["apply", "-k", overlay]);
  for (const workload of ["statefulset/nats", "statefulset/coordinator", "deployment/learner", "deployment/actor"])
    await kubectl(["rollout", "status", workload, "-n", "anchorage", "--timeout=300s"]);
}

/** Watches while `work` runs: the fewest ready actors and the most learners that were there at once. */
async function extremes(cluster: Cluster, work: () => Promise<unknown>) {
  let done = false;
  const seen = { actors: Number.POSITIVE_INFINITY, learners: 0 };
  const watching = (async () => {
    while (!done) {
      seen.actors = Math.min(seen.actors, await readyActors(cluster));
      const learners = (await cluster.get("pods", "-n", "anchorage", "-l", "app.kubernetes.io/component=learner"))
        .items;
      seen.learners = Math.max(seen.learners, learners.length);
    }
  })();
  try {
    await work();
  } finally {
    done = true;
    await watching;
  }
  return seen;
}

/** 64 EnvBatches, so that 50 actors have work. */
function manyActors(): string {
  const kustomization = `configMapGenerator: [{ name: anchorage, behavior: merge, files: [run.yaml] }]
patches: [{ path: scaler.yaml, target: { kind: HorizontalPodAutoscaler } }]
`;
  return overlayOn("base", {
    "kustomization.yaml": kustomization,
    "run.yaml": "env: HalfCheetah-v4\nenvBatchSize: 2\n",
    "scaler.yaml": "- op: replace\n  path: /spec/maxReplicas\n  value: 64\n",
  });
}

it.skipIf(missing !== null)(
  named("a cluster takes the manifests, scales, rolls, drains and heals as they say", missing),
  async () => {
    const cluster = await startCluster(4);
    const { kubectl, get } = cluster;
    const anchorage = (...args: string[]): Promise<string> => kubectl([...args, "-n", "anchorage"]);
    await applySecured(cluster, manyActors());

    await until("the autoscaler's least actors are ready", async () => (await readyActors(cluster)) === 2, 2 * minutes);

    // applied again, nothing begins anew
    const generations = async (): Promise<unknown[]> =>
      (await get("deployments,statefulsets", "-n", "anchorage")).items.map(({ metadata }) => metadata.generation);
    const generation = await generations();
    await kubectl(["apply", "-k", manyActors()]);
    expect(await generations()).toEqual(generation);

    // one command scales from 2 to 50, over both zones and all nodes
    await anchorage("scale", "deployment", "actor", "--replicas=50");
    await until("50 actors are ready", async () => (await readyActors(cluster)) === 50, 5 * minutes);
    const perNode = new Map<string, number>();
    for (const { spec } of await podsOf(cluster, "actor"))
      perNode.set(spec.nodeName, (perNode.get(spec.nodeName) ?? 0) + 1);
    expect(Math.max(...perNode.values()) - Math.min(...perNode.values())).toBeLessThanOrEqual(3);

    // an image is rolled: never fewer than three quarters of the actors
    const rolled = await extremes(cluster, async () => {
      await anchorage("set", "image", "deployment/actor", "actor=anchorage/actor:0.2.0");
      await anchorage("rollout", "status", "deployment/actor", "--timeout=600s");
    });
    expect(rolled.actors).toBeGreaterThanOrEqual(50 - Math.ceil(50 * 0.25));
    const images = new Set((await podsOf(cluster, "actor")).map(({ spec }) => spec.containers[0].image));
    expect([...images]).toEqual(["anchorage/actor:0.2.0"]);

    // the learner is never there twice
    const [before] = await podsOf(cluster, "learner");
    const recreated = await extremes(cluster, async () => {
      await anchorage("set", "image", "deployment/learner", "learner=anchorage/learner:0.2.0");
      await anchorage("rollout", "status", "deployment/learner", "--timeout=300s");
    });
    expect(recreated.learners).toBe(1);
    const [second] = await podsOf(cluster, "learner");
    expect(second!.metadata.uid).not.toBe(before!.metadata.uid);

    // a deleted learner comes back
    await anchorage("delete", "pod", second!.metadata.name);
    await until("another learner is ready", async () => {
      const [third] = await podsOf(cluster, "learner");
      return third !== undefined && third.metadata.uid !== second!.metadata.uid && isReady(third);
    });

    // a node is drained, the learner's if need be: nothing blocks it, and all come up elsewhere
    const node = (await podsOf(cluster, "learner"))[0]!.spec.nodeName as string;
    const drained = await extremes(cluster, () =>
      kubectl(["drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s"]),
    );
    expect(drained.actors).toBeGreaterThanOrEqual(50 - Math.ceil(50 * 0.25));
    await until("all actors are ready again", async () => (await readyActors(cluster)) === 50, 5 * minutes);
    for (const role of roles) for (const { spec } of await podsOf(cluster, role)) expect(spec.nodeName).not.toBe(node);

    // with nowhere to go, a quarter of the actors may be evicted, and then no more
    for (const { metadata } of (await get("nodes")).items) await kubectl(["cordon", metadata.name]);
    expect(await evictAll(cluster, await podsOf(cluster, "actor"))).toEqual({ evicted: 13, refused: 37 }); // ceil(50 / 4)
    await kubectl(["uncordon", "node-0", "node-1", "node-2", "node-3"]);
    await until("all actors are ready once more", async () => (await readyActors(cluster)) === 50, 5 * minutes);

    // nothing with more rights than ours gets into the namespace
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "root" },
      spec: { containers: [{ name: "a", image: "a" }] },
    };
    await expect(kubectl(["apply", "-n", "anchorage", "-f", "-"], JSON.stringify(pod))).rejects.toThrow(
      /violates PodSecurity/,
    );
  },
);

/** Evicts through the API, as drains and autoscalers do; 429 is a budget's refusal. */
async function evictAll({ kubectl }: Cluster, pods: readonly KubernetesItem[]) {
  const counts = { evicted: 0, refused: 0 };
  for (const { metadata } of pods) {
    const { name, namespace } = metadata;
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/eviction`;
    try {
      await kubectl(["create", "--raw", path, "-f", "-"], JSON.stringify(eviction));
      counts.evicted++;
    } catch (error) {
      expect(String(error)).toMatch(/disruption budget/);
      counts.refused++;
    }
  }
  return counts;
}

it.skipIf(missing !== null)(
  named("a cluster takes every overlay, with the Prometheus operator's kinds", missing),
  async () => {
    const cluster = await startCluster(1);
    const { kubectl } = cluster;
    for (const file of await operatorDefinitions()) await kubectl(["apply", "--server-side", "-f", file]);
    await kubectl(["create", "namespace", "anchorage"]);
    for (const name of ["base", "overlays/dev", "overlays/gpu", "overlays/spot"]) {
      const said = await kubectl(["apply", "--dry-run=server", "-k", join(kubernetesFolder, name)]);
      expect(said).toMatch(/deployment.apps\/actor created \(server dry run\)/);
    }
  },
);
