import { readdirSync } from "node:fs";
import { join } from "node:path";
import { resolveRunConfig } from "../../shared/presets.ts";
import { runShape } from "../../shared/runConfig.ts";
import { fleetVariable } from "./fleetLaunch.ts";
import { processesWith } from "./fleetProcess.ts";
import { type RunOutcome, runOutcome, updateRecords } from "./runRecord.ts";

/**
 * What must hold of every finished run, whatever happened to it, or an error that names what does not: each update was
 * recorded once, in order, with exactly its agent steps; no lease is out; nothing was refused; the run counts as
 * reproducible; no process of the fleet lives on, no unfinished file lies in its folder.
 */
export function checkedOutcome(runDir: string, config: Readonly<Record<string, unknown>>, mark: string): RunOutcome {
  const outcome = runOutcome(runDir);
  const { rounds, stepsPerRound } = runShape(resolveRunConfig({ ...config }));
  const records = updateRecords(runDir);
  const wrong: string[] = [];
  if (records.length !== rounds) wrong.push(`${records.length} updates recorded instead of ${rounds}`);
  for (const [i, { update, agent_steps: steps }] of records.entries())
    if (update !== i + 1 || steps !== (i + 1) * stepsPerRound)
      wrong.push(`record ${i + 1} is update ${update} with ${steps} agent steps instead of ${(i + 1) * stepsPerRound}`);
  const leases = records.at(-1)?.leases_outstanding;
  if (leases !== 0) wrong.push(`${leases} leases are out at the end`);
  if (outcome.circumstances.refused > 0) wrong.push(`${outcome.circumstances.refused} rollouts were refused`);
  if (!outcome.reproducible) wrong.push("the run is marked not reproducible");
  for (const { pid, commandLine } of processesWith(fleetVariable, mark))
    wrong.push(`pid ${pid} lives on: ${commandLine}`);
  for (const folder of [runDir, join(runDir, "checkpoints")])
    for (const name of readdirSync(folder).filter((entry) => entry.includes(".unfinished-")))
      wrong.push(`${join(folder, name)} was left behind`);
  if (wrong.length > 0) throw new Error(`the run finished, but ${wrong.slice(0, 10).join("; ")}`);
  return outcome;
}
