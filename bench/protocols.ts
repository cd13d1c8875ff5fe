import { parseArgs } from "node:util";
import { type Comparison, compareEndToEnd, median, perCpuSecond, perSecond, protocols } from "./endToEnd.ts";
import { appendResults, type Row, table } from "./results.ts";

/**
 * Whole training runs: `node dist/bench/protocols.js [--only halfcheetah|pong] [--rounds N] [--no-write]`: ours against the peers, in turns on this
 * machine; leave it otherwise idle. Prints a table and appends it to bench/RESULTS.md.
 */
const { values } = parseArgs({
  options: {
    only: { type: "string" },
    rounds: { type: "string", default: "3" },
    "no-write": { type: "boolean", default: false },
  },
});

const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds} is no count: give 1 or more`);
const only = values.only?.toLowerCase();
const chosen = protocols.filter((protocol) => only === undefined || protocol.env.toLowerCase().startsWith(only));
if (chosen.length === 0)
  throw new Error(
    `--only ${values.only} names no protocol: give the start of ${protocols.map((p) => p.env).join(" or ")}`,
  );

const rows: Row[] = [];
for (const protocol of chosen) {
  const comparisons = await compareEndToEnd(protocol, rounds, (line) => process.stderr.write(`${line}\n`));
  rows.push(...comparisons.map(rowOf));
}
process.stdout.write(`${table(rows)}\n`);
if (!values["no-write"]) appendResults(rows, `node dist/bench/protocols.js ${process.argv.slice(2).join(" ")}`.trim());

/** Ratios pair by pair (run i of ours against run i of the peer), so that a drift of the machine's speed cancels out. */
function rowOf(comparison: Comparison): Row {
  const { ours, peers } = comparison;
  const ratio = (rate: (m: (typeof peers)[number]) => number): number =>
    median(ours.map((run, i) => rate(run) / rate(peers[i]!)));
  const megabytes = (role: string): string =>
    (Math.max(...ours.map((run) => run.peakBytesByRole[role] ?? 0)) / 1e6).toFixed(0);
  return {
    Protocol: comparison.name,
    Peer: comparison.peer,
    "ours, steps per CPU-second": median(ours.map(perCpuSecond)).toFixed(0),
    "peer, steps per CPU-second": median(peers.map(perCpuSecond)).toFixed(0),
    "CPU ratio": `${ratio(perCpuSecond).toFixed(2)}x`,
    "ours, steps/s": median(ours.map(perSecond)).toFixed(0),
    "peer, steps/s": median(peers.map(perSecond)).toFixed(0),
    "wall ratio": `${ratio(perSecond).toFixed(2)}x`,
    "peak MB actor/learner/coordinator": `${megabytes("actor")}/${megabytes("learner")}/${megabytes("coordinator")}`,
  };
}
