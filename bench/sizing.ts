import { parseArgs } from "node:util";
import { resolveRunConfig } from "../shared/presets.ts";
import { runShape } from "../shared/runConfig.ts";
import { type OursMeasured, trainOurs } from "./ours.ts";
import { appendResults, type Row, table } from "./results.ts";

/**
 * How many actors does a learner need? Live runs with 1, 2 and 3 actors of one worker and a learner of one thread: CPU time of
 * each role per agent step, which says it on any number of cores, busy ones as well:
 * `node dist/bench/sizing.js [--only halfcheetah|pong] [--lags 0,1] [--actors 1,2,3] [--updates 10,3] [--no-write]`.
 */
const { values } = parseArgs({
  options: {
    only: { type: "string" },
    lags: { type: "string", default: "0,1" },
    actors: { type: "string", default: "1,2,3" },
    updates: { type: "string", default: "10,3" }, // of HalfCheetah and of Pong, beside the first and the last one
    "no-write": { type: "boolean", default: false },
  },
});
const numbers = (flag: "actors" | "updates"): number[] => {
  const list = values[flag].split(",").map(Number);
  if (list.every((number) => Number.isInteger(number) && number > 0)) return list;
  throw new Error(`--${flag} ${values[flag]} is no list of counts: give such as 1,2,3`);
};
const [cheetahUpdates, pongUpdates = cheetahUpdates] = numbers("updates");
const measured = [
  { env: "HalfCheetah-v4", updates: cheetahUpdates! },
  { env: "Pong-v5", updates: pongUpdates! },
].filter(({ env }) => values.only === undefined || env.toLowerCase().startsWith(values.only.toLowerCase()));
if (measured.length === 0) throw new Error(`--only ${values.only} names no protocol: give halfcheetah or pong`);
process.env.ANCHORAGE_ACTOR_WORKERS = "1";

const rows: Row[] = [];
for (const { env, updates } of measured)
  for (const lag of values.lags.split(","))
    for (const actors of numbers("actors")) {
      const { stepsPerRound } = runShape(resolveRunConfig({ env, totalSteps: 10_000_000 }));
      const total = ["--total-steps", String((updates + 2) * stepsPerRound)];
      process.stderr.write(`${env}, policy lag ${lag}, ${actors} actors\n`);
      const run = await trainOurs(
        ["--env", env, "--algo", "ppo", "--policy-lag", lag, "--actors", String(actors), ...total],
        1,
        { leaveOutLast: true },
      );
      rows.push({ Protocol: `${env}, policy lag ${lag}`, actors: String(actors), ...cells(run) });
    }
process.stdout.write(`${table(rows)}\n`);
if (!values["no-write"]) appendResults(rows, `node dist/bench/sizing.js ${process.argv.slice(2).join(" ")}`.trim());

function cells(run: OursMeasured): Row {
  const { actor = Number.NaN, learner = Number.NaN, coordinator = Number.NaN } = run.cpuByRole;
  const perThousand = (cpuSeconds: number): string => ((1e6 * cpuSeconds) / run.agentSteps).toFixed(1);
  return {
    "actors, CPU ms per 1000 steps": perThousand(actor),
    "learner, CPU ms per 1000 steps": perThousand(learner),
    "coordinator, CPU ms per 1000 steps": perThousand(coordinator),
    "actor cores per learner core": (actor / learner).toFixed(2),
  };
}
