import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";

/**
 * File systems that are mounted in a namespace of a process of their own, below a folder of theirs. Everybody reaches them
 * through that process's /proc entry; nothing is left of them when it ends, which it does with this process.
 */
export class OwnMounts {
  readonly #folder: string;
  readonly #holder: ChildProcess;

  private constructor(folder: string, holder: ChildProcess) {
    this.#folder = folder;
    this.#holder = holder;
  }

  /** `script` mounts them: for sh, with the folder as $0. */
  static async by(script: string): Promise<OwnMounts> {
    const folder = mkdtempSync(join(tmpdir(), "anchorage-disk-"));
    const args = ["-m", "--propagation", "private", "sh", "-c", `{ ${script}; } && echo mounted && exec cat`, folder];
    const holder = spawn("unshare", args, { stdio: ["pipe", "pipe", "inherit"] }); // its stdin ends with this process
    const [said] = (await Promise.race([once(holder.stdout!, "data"), once(holder, "exit")])) as [unknown];
    if (!String(said).startsWith("mounted")) throw new Error(`nothing is mounted by: ${script} (${String(said)})`);
    return new OwnMounts(folder, holder);
  }

  /** A path below the folder, or the folder, for every process of the machine. */
  at(...path: readonly string[]): string {
    return join(`/proc/${this.#holder.pid}/root${this.#folder}`, ...path);
  }

  /** Runs a script as the first one was. Rejects where it fails. */
  async run(script: string): Promise<void> {
    await execa("nsenter", ["-t", String(this.#holder.pid), "-m", "sh", "-c", script, this.#folder]);
  }

  async remove(): Promise<void> {
    const gone = once(this.#holder, "exit");
    this.#holder.kill("SIGKILL");
    await gone;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
