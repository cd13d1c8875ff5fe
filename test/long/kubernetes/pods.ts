import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { until } from "../../chaos/until.ts";
import type { Cluster, KubernetesItem } from "./controlPlane.ts";
import { isReady } from "./controlPlane.ts";

export const roles = ["actor", "coordinator", "learner", "nats"] as const;

/** Without those that are about to end. */
export async function podsOf({ get }: Cluster, role: string): Promise<KubernetesItem[]> {
  const { items } = await get("pods", "-n", "anchorage", "-l", `app.kubernetes.io/component=${role}`);
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

export const readyActors = async (cluster: Cluster): Promise<number> =>
  (await podsOf(cluster, "actor")).filter(isReady).length;

const columns = [
  ".type",
  ".object.metadata.uid",
  ".object.metadata.labels.app\\.kubernetes\\.io/component",
  ".object.metadata.deletionTimestamp",
  '.object.status.conditions[?(@.type=="Ready")].status',
];

/** Watches while `work` runs, no change missed: the fewest ready actors and the most learners that were there at once. */
export async function extremes(cluster: Cluster, work: () => Promise<unknown>) {
  const before = (await everyPod(cluster)).length;
  const format = `jsonpath=${columns.map((column) => `{${column}}`).join("|")}{"\\n"}`;
  const watch = ["get", "pods", "-n", "anchorage", "--watch", "--output-watch-events", "-o", format];
  const child = spawn("kubectl", ["--kubeconfig", cluster.kubeconfig, ...watch], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const pods = new Map<string, { readonly role: string; readonly counts: boolean }>();
  const seen = { actors: Number.POSITIVE_INFINITY, learners: 0 };
  const count = (of: string): number => [...pods.values()].filter(({ role, counts }) => role === of && counts).length;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [type, uid, role, ending, ready] = line.split("|") as [string, string, string, string, string];
    if (type === "DELETED") pods.delete(uid);
    // a learner that has yet to start, or to end, is one, too
    else pods.set(uid, { role, counts: role === "learner" || (ready === "True" && ending === "") });
    seen.learners = Math.max(seen.learners, count("learner"));
    if (hasBegun) seen.actors = Math.min(seen.actors, count("actor"));
  });
  let hasBegun = false;
  try {
    await until("the watch has begun", async () => pods.size >= before);
    hasBegun = true;
    await work();
  } finally {
    child.kill();
  }
  return seen;
}

/** Of all roles. */
export const everyPod = async (cluster: Cluster): Promise<KubernetesItem[]> =>
  (await Promise.all(roles.map((role) => podsOf(cluster, role)))).flat();

export const uidsOf = (pods: readonly KubernetesItem[]): string[] => pods.map(({ metadata }) => metadata.uid).sort();

export const imagesOf = (pods: readonly KubernetesItem[]): string[] =>
  [...new Set(pods.map(({ spec }) => spec.containers[0].image as string))].sort();

export const readyAre = (cluster: Cluster, actors: number): Promise<void> =>
  until(`${actors} actors and the rest are ready`, async () => {
    const pods = await everyPod(cluster);
    return pods.length === actors + 3 && pods.every(isReady);
  });

export async function rolledOut({ kubectl }: Cluster): Promise<void> {
  for (const workload of ["statefulset/nats", "statefulset/coordinator", "deployment/learner", "deployment/actor"])
    await kubectl(["rollout", "status", workload, "-n", "anchorage"]);
}

/** The volume of each claim. */
export async function volumesOf({ get }: Cluster): Promise<Record<string, string>> {
  const { items } = await get("pvc", "-n", "anchorage");
  return Object.fromEntries(items.map(({ metadata, spec }) => [metadata.name, spec.volumeName]));
}
