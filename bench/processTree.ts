import { readFileSync } from "node:fs";

/** Linux counts CPU time in ticks of 1/100 s. */
const ticksPerSecond = 100;

export interface ProcessUse {
  readonly pid: number;
  readonly command: string;
  readonly cpuSeconds: number; // its own and that of children it has waited for
  readonly residentBytes: number; // now
  readonly peakResidentBytes: number;
}

/** A process and all its living descendants; those that ended meanwhile are left out. */
export function processTree(root: number): ProcessUse[] {
  const uses: ProcessUse[] = [];
  const queue = [root];
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    const use = processUse(pid);
    if (use === null) continue;
    uses.push(use);
    queue.push(...childrenOf(pid));
  }
  return uses;
}

function processUse(pid: number): ProcessUse | null {
  const stat = read(`/proc/${pid}/stat`);
  const status = read(`/proc/${pid}/status`);
  if (stat === null || status === null) return null;
  // Fields after the parenthesised name, which may hold spaces: 11..14 are utime, stime, cutime, cstime.
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const ticks = fields[11]! + fields[12]! + fields[13]! + fields[14]!;
  const kibibytes = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
  return {
    pid,
    command: (read(`/proc/${pid}/cmdline`) ?? "").replaceAll("\0", " ").trim(),
    cpuSeconds: ticks / ticksPerSecond,
    residentBytes: kibibytes("VmRSS") * 1024,
    peakResidentBytes: kibibytes("VmHWM") * 1024,
  };
}

/** Children of every thread: a worker thread's children are listed under that thread. */
function childrenOf(pid: number): number[] {
  const own = read(`/proc/${pid}/task/${pid}/children`) ?? "";
  return own.split(" ").filter(Boolean).map(Number);
}

/** null: the process has ended. */
function read(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")) return null;
    throw error;
  }
}
