import { spawnSync } from "node:child_process";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { OwnMounts } from "./ownMounts.ts";

/** null: a small disk can be made here; else why not. */
export function noSmallDisk(): string | null {
  if (process.getuid?.() !== 0) return "a small disk of its own needs root";
  const probe = spawnSync("unshare", ["-m", "sh", "-c", "mount -t tmpfs none /mnt"], { encoding: "utf8" });
  if (probe.error) return `unshare: ${probe.error.message}`;
  return probe.status === 0 ? null : `no file system can be mounted here: ${probe.stderr.trim()}`;
}

/** A file system of a few megabytes that can be filled up. */
export class SmallDisk {
  readonly path: string;
  readonly #mounts: OwnMounts;

  private constructor(mounts: OwnMounts) {
    this.path = mounts.at();
    this.#mounts = mounts;
  }

  static async mount(megabytes: number): Promise<SmallDisk> {
    return new SmallDisk(await OwnMounts.by(`mount -t tmpfs -o size=${megabytes}m anchorage "$0"`));
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
  async makeReadOnly(): Promise<void> {
    await this.#mounts.run('mount -o remount,ro "$0"');
  }

  async remove(): Promise<void> {
    await this.#mounts.remove();
  }
}
