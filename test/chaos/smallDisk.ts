import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** null: a small disk can be made here; else why not. */
export function noSmallDisk(): string | null {
  if (process.getuid?.() !== 0) return "a small disk of its own needs root";
  const probe = spawnSync("unshare", ["-m", "sh", "-c", "mount -t tmpfs none /mnt"], { encoding: "utf8" });
  if (probe.error) return `unshare: ${probe.error.message}`;
  return probe.status === 0 ? null : `no file system can be mounted here: ${probe.stderr.trim()}`;
}

/**
 * A file system of a few megabytes that can be filled up. It is mounted in a namespace of a process of its own, through
 * whose /proc entry everybody reaches it: nothing is left of it when that process ends.
 */
export class SmallDisk {
  readonly path: string;
  readonly #mountPoint: string;
  readonly #holder: ChildProcess;

  private constructor(path: string, mountPoint: string, holder: ChildProcess) {
    this.path = path;
    this.#mountPoint = mountPoint;
    this.#holder = holder;
  }

  static async mount(megabytes: number): Promise<SmallDisk> {
    const mountPoint = mkdtempSync(join(tmpdir(), "anchorage-disk-"));
    const script = `mount -t tmpfs -o size=${megabytes}m anchorage "$0" && echo mounted && exec cat`;
    const args = ["-m", "--propagation", "private", "sh", "-c", script, mountPoint];
    const holder = spawn("unshare", args, { stdio: ["pipe", "pipe", "inherit"] }); // ends with this process: its stdin does
    const [said] = (await once(holder.stdout!, "data")) as [Buffer];
    if (!String(said).startsWith("mounted")) throw new Error(`no small disk: ${String(said)}`);
    return new SmallDisk(`/proc/${holder.pid}/root${mountPoint}`, mountPoint, holder);
  }

  /** Takes all the space that is left, to the last byte. */
  fill(): void {
    const file = openSync(join(this.path, "ballast"), "a");
    try {
      for (let bytes = 1 << 20; bytes >= 1; )
        try {
          if (writeSync(file, Buffer.alloc(bytes)) < bytes) bytes >>= 1;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
          bytes >>= 1;
        }
    } finally {
      closeSync(file);
    }
  }

  /** Gives that space back. */
  free(): void {
    rmSync(join(this.path, "ballast"));
  }

  /** As a kernel does with a disk that fails. Not while a file on it is open for writing. */
  makeReadOnly(): void {
    const inside = ["-t", String(this.#holder.pid), "-m", "mount", "-o", "remount,ro", this.#mountPoint];
    const { status, stderr } = spawnSync("nsenter", inside, { encoding: "utf8" });
    if (status !== 0) throw new Error(`the small disk stays writable: ${stderr}`);
  }

  async remove(): Promise<void> {
    const gone = once(this.#holder, "exit");
    this.#holder.kill("SIGKILL");
    await gone;
    rmdirSync(this.#mountPoint);
  }
}
