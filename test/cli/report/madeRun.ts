import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { resolveRunConfig } from "../../../shared/presets.ts";

export interface MadeRun {
  readonly given?: Readonly<Record<string, unknown>>; // RunConfig fields
  readonly state?: string;
  readonly failure?: string;
  readonly returns?: readonly (number | null)[]; // of each update, 1000 agent steps apart
  readonly build?: string;
}

/** Writes a run folder as the coordinator does (docs/runFolder.md), and gives its path. */
export function madeRun(root: string, name: string, run: MadeRun = {}): string {
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true });
  const write = (file: string, value: unknown): void => writeFileSync(join(folder, file), JSON.stringify(value));
  write("config.json", resolveRunConfig({ env: "CartPole-v1", ...run.given }));
  write("state.json", { state: run.state ?? "FINISHED", failure: run.failure ?? "" });
  write("run.json", { format: 1, runId: name, created: "2026-11-01T00:00:00.000Z", build: run.build ?? "0.1.0+made" });
  const lines = (run.returns ?? [null, 20, 30]).map((mean_return, i) => {
    const agent_steps = (i + 1) * 1000;
    const numbers = { approx_kl: 0.01, clip_fraction: 0.1, ratio_min: 0.7, ratio_max: 1.5, entropy: 0.6 };
    return JSON.stringify({
      update: i + 1,
      agent_steps,
      mean_return,
      ...numbers,
      gradient_norm: 2,
      explained_variance: null,
    });
  });
  writeFileSync(join(folder, "metrics.jsonl"), `${lines.join("\n")}\n`);
  return folder;
}
