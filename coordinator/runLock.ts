import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { storageError } from "./atomicFile.ts";

const Owner = z.object({ pid: z.int(), host: z.string(), started: z.string().nullable(), token: z.string() });
type Owner = z.infer<typeof Owner>;

const refreshMs = 5_000;
/** A lock of another machine, whose processes cannot be seen, is dead after this long without a refresh. */
const silentMs = 60_000;

/**
 * Lets one coordinator own a run folder. The lock of a dead process is taken over; a live one's is refused, naming it.
 * Same machine: by pid and start time (a pid may be in use again, in a container always is); another one, as with a
 * network disk: by the file's age, which its owner refreshes.
 */
export class RunLock {
  readonly #path: string;
  readonly #owner: Owner;
  readonly #timer: NodeJS.Timeout;

  private constructor(path: string, owner: Owner, onLost: (error: OperatorError) => void) {
    this.#path = path;
    this.#owner = owner;
    this.#timer = setInterval(() => void this.#refresh(onLost), refreshMs);
    this.#timer.unref();
  }

  /** Throws STORAGE if another coordinator owns the folder or it cannot be written. `onLost`: it was taken from us. */
  static async take(folder: string, onLost: (error: OperatorError) => void): Promise<RunLock> {
    const path = join(folder, "lock");
    const owner = { pid: process.pid, host: hostname(), started: await startOf(process.pid), token: randomUUID() };
    for (let attempt = 0; attempt < 5; attempt++) {
      if (await tryToCreate(path, owner)) return new RunLock(path, owner, onLost);
      const other = await readOwner(path);
      if (other === null) continue; // released just now
      if (other !== "unreadable" && (await isAlive(path, other))) throw held(folder, other);
      await removeStale(path, other);
    }
    throw new OperatorError(
      "STORAGE",
      `${path} cannot be taken.`,
      "Other coordinators start on this folder right now: start one.",
    );
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    const owner = await readOwner(this.#path);
    if (owner !== null && owner !== "unreadable" && owner.token === this.#owner.token)
      await rm(this.#path, { force: true });
  }

  async #refresh(onLost: (error: OperatorError) => void): Promise<void> {
    try {
      const owner = await readOwner(this.#path);
      if (owner !== null && owner !== "unreadable" && owner.token === this.#owner.token) {
        const now = new Date();
        return await utimes(this.#path, now, now);
      }
      const by = owner === null || owner === "unreadable" ? "nobody known" : `pid ${owner.pid} on ${owner.host}`;
      clearInterval(this.#timer);
      onLost(
        new OperatorError("STORAGE", `${this.#path} now belongs to ${by}.`, "Run one coordinator per run folder."),
      );
    } catch (cause) {
      clearInterval(this.#timer);
      onLost(storageError(`${this.#path} cannot be refreshed`, cause));
    }
  }
}

function held(folder: string, owner: Owner): OperatorError {
  return new OperatorError(
    "STORAGE",
    `${folder} is in use by another coordinator: pid ${owner.pid} on ${owner.host}.`,
    "Stop that one first, or choose another --run-dir.",
  );
}

/** Written aside and linked into place: a lock is never seen half-written. */
async function tryToCreate(path: string, owner: Owner): Promise<boolean> {
  const aside = `${path}.${owner.token}`;
  try {
    await writeFile(aside, JSON.stringify(owner), { flag: "wx" });
    await link(aside, path);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw storageError(`${path} cannot be written`, cause);
  } finally {
    await rm(aside, { force: true });
  }
}

/** Two may see the same stale lock; renaming it lets one win. What was renamed by mistake is put back. */
async function removeStale(path: string, seen: Owner | "unreadable"): Promise<void> {
  const aside = `${path}.stale-${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return; // the other one won
    throw storageError(`The stale ${path} cannot be removed`, cause);
  }
  const renamed = await readOwner(aside);
  const wasStale = JSON.stringify(renamed) === JSON.stringify(seen);
  if (!wasStale) await link(aside, path).catch(() => undefined); // EEXIST: its owner is about to notice by itself
  await rm(aside, { force: true });
}

async function readOwner(path: string): Promise<Owner | null | "unreadable"> {
  try {
    return Owner.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    if (error instanceof SyntaxError || error instanceof z.ZodError) return "unreadable"; // torn by a power loss
    throw storageError(`${path} cannot be read: ${messageOf(error)}`, error);
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
  const started = await startOf(owner.pid);
  return started === null || owner.started === null || started === owner.started;
}

/** When a process started, in clock ticks since boot, with the boot; null where /proc is not there. */
async function startOf(pid: number): Promise<string | null> {
  try {
    const line = await readFile(`/proc/${pid}/stat`, "utf8");
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
    // The name, field 2, may hold spaces and brackets; field 22 counts from behind it.
    const ticks = line.slice(line.lastIndexOf(")") + 2).split(" ")[19];
    return `${boot.trim()}:${ticks}`;
  } catch {
    return null; // not Linux, or the process is gone: the pid alone decides
  }
}
