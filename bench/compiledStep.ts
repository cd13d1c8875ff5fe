import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { operationsAtOnce } from "../learner/compile/session.ts";
import { projectRoot } from "../shared/nativeParts.ts";
import { median } from "./endToEnd.ts";
import { LineProcess } from "./lineProcess.ts";
import { peersPython } from "./peers.ts";
import { appendResults, type Row, table } from "./results.ts";

/**
 * How long one minibatch step takes, compiled, against eager PyTorch, blocks of steps in turns:
 * `node dist/bench/compiledStep.js [--only mlp|cnn] [--blocks 9] [--threads 1] [--onednn auto] [--profile] [--no-write]`.
 * mlp: HalfCheetah's two 256-256 tanh nets, minibatch 1024; cnn: the Nature CNN, minibatch 512. Ours runs operations at the
 * same time on other cores, PyTorch one after another, each on `threads`: the CPU ratio compares the work, the wall ratio both.
 */
const { values } = parseArgs({
  options: {
    only: { type: "string" },
    blocks: { type: "string", default: "9" },
    threads: { type: "string", default: "1" },
    onednn: { type: "string", default: "auto" },
    profile: { type: "boolean", default: false },
    "no-write": { type: "boolean", default: false },
  },
});

interface Took {
  readonly cpuMs: number;
  readonly wallMs: number;
}

async function compare(kind: "mlp" | "cnn", steps: number, blocks: number): Promise<Row> {
  const worker = fileURLToPath(new URL("compiledStepOurs.js", import.meta.url));
  const ours = new LineProcess(process.execPath, [worker, kind, values.threads, values.onednn]);
  const torch = new LineProcess(peersPython(), [
    join(projectRoot, "bench", "peers", "torchStep.py"),
    kind,
    values.threads,
  ]);
  const took = { ours: [] as Took[], torch: [] as Took[] };
  for (let block = -1; block < blocks; block++) {
    const pair = [await ours.ask<Took>(String(steps)), await torch.ask<Took>(String(steps))] as const;
    if (block < 0) continue; // warm-up
    took.ours.push(pair[0]);
    took.torch.push(pair[1]);
  }
  if (values.profile) printProfile(await profiled(ours));
  ours.close();
  torch.close();
  const per = (list: readonly Took[], field: keyof Took): string =>
    (median(list.map((t) => t[field])) / steps).toFixed(2);
  const ratio = (field: keyof Took): string =>
    median(took.ours.map((t, i) => took.torch[i]![field] / t[field])).toFixed(2);
  return {
    Step: kind === "mlp" ? "two 256-256 tanh nets, minibatch 1024" : "Nature CNN, minibatch 512",
    "ours, CPU ms": per(took.ours, "cpuMs"),
    "PyTorch eager, CPU ms": per(took.torch, "cpuMs"),
    "CPU ratio": `${ratio("cpuMs")}x`,
    "wall ratio": `${ratio("wallMs")}x`,
    blocks: `${blocks} x ${steps} steps`,
    threads: values.threads,
    "our operations at once": String(operationsAtOnce("cpu")),
    oneDNN: values.onednn,
  };
}

interface OperationTime {
  readonly name: string;
  readonly operation: string;
  readonly micros: number;
}

/** The least time of each operation in 10 steps: what it takes when nothing disturbs it. */
async function profiled(ours: LineProcess): Promise<OperationTime[]> {
  const least = new Map<string, OperationTime>();
  for (let i = 0; i < 10; i++)
    for (const each of await ours.ask<OperationTime[]>("profile"))
      if (each.micros <= (least.get(each.name)?.micros ?? Number.POSITIVE_INFINITY)) least.set(each.name, each);
  return [...least.values()];
}

/** Where the time goes: operations by name, slowest first. */
function printProfile(operations: readonly OperationTime[]): void {
  const slowest = [...operations].sort((a, b) => b.micros - a.micros).slice(0, 40);
  const total = operations.reduce((sum, each) => sum + each.micros, 0);
  for (const { name, operation, micros } of slowest)
    console.log(`${String(micros).padStart(8)} us  ${operation}  ${name}`);
  const kinds = new Map<string, (typeof operations)[number][]>();
  for (const each of operations) kinds.set(each.operation, [...(kinds.get(each.operation) ?? []), each]);
  const sum = (list: typeof operations): number => list.reduce((micros, each) => micros + each.micros, 0);
  for (const [operation, list] of [...kinds].sort((a, b) => sum(b[1]) - sum(a[1])).slice(0, 15))
    console.log(`${String(sum(list)).padStart(8)} us in ${list.length} ${operation}`);
  console.log(`${String(total).padStart(8)} us in ${operations.length} operations`);
}

const rows: Row[] = [];
for (const [kind, steps] of [
  ["mlp", 20],
  ["cnn", 2],
] as const)
  if (values.only === undefined || values.only === kind) rows.push(await compare(kind, steps, Number(values.blocks)));
process.stdout.write(`${table(rows)}\n`);
if (!values["no-write"])
  appendResults(rows, `node dist/bench/compiledStep.js ${process.argv.slice(2).join(" ")}`.trim());
