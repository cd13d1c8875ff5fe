import { expect, it } from "vitest";
import { named } from "../../chaos/skipReason.ts";
import { until } from "../../chaos/until.ts";
import { overlayOn } from "../../deploy/rendered.ts";
import { type Cluster, type KubernetesItem, noControlPlane, startCluster } from "./controlPlane.ts";
import { extremes, imagesOf, podsOf, readyActors, roles, rolledOut } from "./pods.ts";

const missing = noControlPlane();
const minutes = 60_000;

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
  named("a cluster scales to 50 actors, rolls, drains and evicts as the manifests say", missing),
  async () => {
    const cluster = await startCluster(4);
    const { kubectl, get } = cluster;
    const anchorage = (...args: string[]): Promise<string> => kubectl([...args, "-n", "anchorage"]);
    await kubectl(["apply", "-k", manyActors()]);
    await rolledOut(cluster);
    await until("the autoscaler's least actors are ready", async () => (await readyActors(cluster)) === 2, 2 * minutes);

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
    expect(imagesOf(await podsOf(cluster, "actor"))).toEqual(["anchorage/actor:0.2.0"]);

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
