import { randomUUID } from "node:crypto";
import { link, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { OperatorError } from "../shared/errors.ts";
import { storageError, writeAtomically } from "./atomicFile.ts";

const Owner = z.object({
  pid: z.int(),
  host: z.string(),
  started: z.string().nullable(),
  released: z.boolean(),
});
type Owner = z.infer<typeof Owner>;

const refreshMs = 5_000;
/** A lock of another machine, whose processes cannot be seen, is dead after this long without a refresh. */
const silentMs = 60_000;

export interface RunLockEvents {
  /** It was taken from us, or the folder is gone. */
  readonly onLost: (error: OperatorError) => void;
  /** It could not be refreshed this time. */
  readonly onStale: (error: OperatorError) => void;
}

/**
 * Lets one coordinator own a run folder. The lock of a dead process is taken over; a live one's is refused, naming it.
 * Same machine: by pid and start time (a pid may be in use again, in a container always is); another one, as with a
 * network disk: by the file's age, which its owner refreshes.
 *
 * Locks are numbered and the highest number counts: to take over `lock.3` means to create `lock.4`, which succeeds for
 * one process only. A released lock stays as it is until the next owner removes it, so that no number is given out twice
 * to someone who looked earlier.
 */
export class RunLock {
  readonly #folder: string;
  readonly #number: number;
  readonly #timer: NodeJS.Timeout;

  private constructor(folder: string, number: number, events: RunLockEvents) {
    this.#folder = folder;
    this.#number = number;
    this.#timer = setInterval(() => void this.#refresh(events), refreshMs);
    this.#timer.unref();
  }

  /** Throws STORAGE if another coordinator owns the folder or it cannot be written. */
  static async take(folder: string, events: RunLockEvents): Promise<RunLock> {
    for (let attempt = 0; attempt < 10; attempt++) {
      const numbers = await lockNumbers(folder);
      const newest = numbers.at(-1) ?? 0;
      const other = newest === 0 ? null : await readOwner(pathOf(folder, newest));
      if (other !== null && !other.released && (await isAlive(pathOf(folder, newest), other)))
        throw held(folder, other);
      if (!(await create(folder, newest + 1))) continue; // another one was faster
      const now = await lockNumbers(folder);
      if (now.at(-1) === newest + 1) {
        for (const old of now.slice(0, -1)) await rm(pathOf(folder, old), { force: true });
        return new RunLock(folder, newest + 1, events);
      }
      await rm(pathOf(folder, newest + 1), { force: true }); // we looked long ago: later owners came and went
    }
    const problem = `The lock of ${folder} cannot be taken: others take it all the time.`;
    throw new OperatorError("STORAGE", problem, "Start one coordinator per run folder.");
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    const path = pathOf(this.#folder, this.#number);
    if ((await lockNumbers(this.#folder)).at(-1) !== this.#number) return; // lost; it is not ours to say
    await writeAtomically(path, JSON.stringify({ ...(await self()), released: true }));
  }

  /** A disk that refuses to be written takes no other owner's lock either: that one shows, once there is one. */
  async #refresh({ onLost, onStale }: RunLockEvents): Promise<void> {
    try {
      const newest = (await lockNumbers(this.#folder)).at(-1);
      const now = new Date();
      if (newest === this.#number) return await utimes(pathOf(this.#folder, newest), now, now);
      clearInterval(this.#timer);
      const owner = newest === undefined ? null : await readOwner(pathOf(this.#folder, newest));
      const by = owner === null ? "is gone" : `was taken by pid ${owner.pid} on ${owner.host}`;
      onLost(new OperatorError("STORAGE", `The lock of ${this.#folder} ${by}.`, "Run one coordinator per run folder."));
    } catch (cause) {
      const error = storageError(`The lock of ${this.#folder} cannot be refreshed`, cause);
      if ((cause as NodeJS.ErrnoException).code !== "ENOENT") return onStale(error);
      clearInterval(this.#timer); // the folder is gone
      onLost(error);
    }
  }
}

/** Is it one of the lock's files? */
export const isLockFile = (name: string): boolean => /^lock\.\d+(\.|$)/.test(name);

const pathOf = (folder: string, number: number): string => join(folder, `lock.${number}`);
const self = async (): Promise<Owner> => {
  return {
    pid: process.pid,
    host: hostname(),
    started: (await processAt(process.pid))?.started ?? null,
    released: false,
  };
};

/** Ascending. */
async function lockNumbers(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  return names
    .map((name) => Number(/^lock\.(\d+)$/.exec(name)?.[1] ?? 0))
    .filter((number) => number > 0)
    .sort((a, b) => a - b);
}

function held(folder: string, owner: Owner): OperatorError {
  return new OperatorError(
    "STORAGE",
    `${folder} is in use by another coordinator: pid ${owner.pid} on ${owner.host}.`,
    "Stop that one first, or choose another --run-dir.",
  );
}

/** false: it exists. Written aside and linked into place, so that a lock is never seen half-written. */
async function create(folder: string, number: number): Promise<boolean> {
  const path = pathOf(folder, number);
  const aside = `${path}.${randomUUID()}`;
  try {
    await writeFile(aside, JSON.stringify(await self()), { flag: "wx" });
    await link(aside, path);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw storageError(`${path} cannot be written`, cause);
  } finally {
    await rm(aside, { force: true });
  }
}

/** null: nobody's (just removed by its successor, or torn by a power loss). */
async function readOwner(path: string): Promise<Owner | null> {
  try {
    return Owner.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (absent || error instanceof SyntaxError || error instanceof z.ZodError) return null;
    throw storageError(`${path} cannot be read`, error);
  }
}

async function isAlive(path: string, owner: Owner): Promise<boolean> {
  if (owner.host !== hostname()) {
    const refreshed = await stat(path).catch(() => null);
    return refreshed !== null && Date.now() - refreshed.mtimeMs < silentMs;
  }
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const found = await processAt(owner.pid);
  if (found === null) return true;
  return !found.ending && (owner.started === null || found.started === owner.started);
}

interface FoundProcess {
  readonly started: string; // in clock ticks since boot, with the boot
  /** Killed, and on its way out or waiting for its parent to notice: a pid that no longer does anything. */
  readonly ending: boolean;
}

const exiting = 0x4; // PF_EXITING of Linux

/** null where /proc is not there, or the process is gone: the pid alone decides. */
async function processAt(pid: number): Promise<FoundProcess | null> {
  try {
    const line = await readFile(`/proc/${pid}/stat`, "utf8");
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
    // The name, field 2, may hold spaces and brackets; behind it come the state (3), the flags (9), the start (22).
    const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
    const ending = /^[ZX]$/.test(fields[0]!) || (Number(fields[6]) & exiting) !== 0;
    return { started: `${boot.trim()}:${fields[19]}`, ending };
  } catch {
    return null;
  }
}
