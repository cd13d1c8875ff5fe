import { readdirSync, readFileSync } from "node:fs";

export interface ProcessUse {
  readonly residentMiB: number;
  readonly threads: number;
  readonly files: number; // open descriptors: files, sockets, pipes
}

/** null: it has ended. */
export function processUse(pid: number): ProcessUse | null {
  const status = ifThere(() => readFileSync(`/proc/${pid}/status`, "utf8"));
  const files = ifThere(() => readdirSync(`/proc/${pid}/fd`).length);
  const resident = status && /^VmRSS:\s+(\d+)/m.exec(status)?.[1]; // a zombie has none
  if (!status || files === null || !resident) return null;
  const threads = Number(/^Threads:\s+(\d+)/m.exec(status)?.[1]);
  return { residentMiB: Number(resident) / 1024, threads, files };
}

/** Clock ticks from the machine's start to the process's; null: there is none, or it has ended and nobody took notice. */
export function startedAt(pid: number): number | null {
  const stat = ifThere(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  const [state, ...fields] = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? ["Z"]; // from field 3 on, behind the name
  return state === "Z" ? null : Number(fields[18]);
}

export interface LivingChild {
  readonly pid: number;
  readonly command: readonly string[];
  readonly startedAt: number; // clock ticks since the machine's start: pids begin again at 1 after a while
}

/** Living processes below `pid`, itself left out. */
export function processesBelow(pid: number): LivingChild[] {
  const tasks = ifThere(() => readdirSync(`/proc/${pid}/task`)) ?? [];
  return tasks
    .flatMap((task) => (ifThere(() => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8")) ?? "").split(" "))
    .filter(Boolean)
    .flatMap((child) => {
      const command = ifThere(() => readFileSync(`/proc/${child}/cmdline`, "utf8"));
      const started = startedAt(Number(child));
      if (!command || started === null) return [];
      const one = { pid: Number(child), command: command.split("\0"), startedAt: started };
      return [one, ...processesBelow(Number(child))];
    });
}

function ifThere<T>(look: () => T): T | null {
  try {
    return look();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES") return null; // it ended meanwhile
    throw error;
  }
}
