import { z } from "zod";
import type { Status__Output } from "../../proto/gen/anchorage/v1/Status.ts";

/** Where /metrics of a run's processes is to be scraped. */
export interface ScrapeTargets {
  readonly coordinator: readonly string[]; // host:port
  readonly learner: readonly string[];
  readonly actor: readonly string[];
  /** Members whose /metrics is out of reach from here, each with why. */
  readonly unreachable: readonly string[];
}

/** What a member's heartbeats say of its metrics; one that has sent none yet says nothing. */
const MemberMetrics = z.object({ metricsHost: z.string(), metricsPort: z.int().min(1).max(65_535) });

/** @param here where the coordinator is reached, and this machine's name, by which members on it call their host */
export function scrapeTargets(status: Status__Output, here: { coordinator: string; hostname: string }): ScrapeTargets {
  const targets = { coordinator: [] as string[], learner: [] as string[], actor: [] as string[] };
  const unreachable: string[] = [];
  if (status.metrics_port !== 0) targets.coordinator.push(`${here.coordinator}:${status.metrics_port}`);
  for (const { role, member_id, host, status_json } of status.members) {
    const metrics = metricsOf(status_json);
    if (metrics === null || (role !== "ACTOR" && role !== "LEARNER")) continue;
    const address = reachableAt(metrics.metricsHost, host, here.hostname);
    if (address === null) unreachable.push(`${member_id} on ${host} serves /metrics on its loopback interface only`);
    else targets[role === "ACTOR" ? "actor" : "learner"].push(`${address}:${metrics.metricsPort}`);
  }
  return { ...targets, unreachable };
}

function metricsOf(statusJson: string): z.infer<typeof MemberMetrics> | null {
  try {
    return MemberMetrics.parse(JSON.parse(statusJson));
  } catch {
    return null; // no heartbeat yet, or of an older build
  }
}

const everywhere = new Set(["0.0.0.0", "::", "[::]"]);
const loopback = /^(127\.|localhost$|\[?::1\]?$)/;

/** null: it listens on the loopback interface of another machine. */
function reachableAt(listens: string, host: string, hostname: string): string | null {
  const local = host === hostname;
  const address = everywhere.has(listens) ? (local ? "127.0.0.1" : host) : listens;
  if (loopback.test(address) && !local) return null;
  return address.includes(":") && !address.startsWith("[") ? `[${address}]` : address;
}

/** A file of Prometheus's file_sd_configs. The series say themselves whose they are: no labels. */
export function targetsFile({ coordinator, learner, actor }: ScrapeTargets): string {
  return `${JSON.stringify([{ targets: [...coordinator, ...learner, ...actor] }], null, 2)}\n`;
}
