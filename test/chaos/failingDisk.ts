import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";

/** null: a disk that fails can be made here; else why not. */
export function noFailingDisk(): string | null {
  if (process.getuid?.() !== 0) return "a disk of its own that fails needs root";
  const probe = `for program in mkfs.ext4 e2fsck nsenter; do command -v $program > /dev/null || { echo "no $program is installed"; exit 1; }; done
truncate -s 4M "$0" && mkfs.ext4 -q -F "$0" && mount -o loop "$0" /mnt && mount -o remount,abort /mnt`;
  const folder = mkdtempSync(join(tmpdir(), "anchorage-disk-"));
  try {
    const { status, stdout, stderr } = spawnSync("unshare", ["-m", "sh", "-c", probe, join(folder, "image")], {
      encoding: "utf8",
    });
    return status === 0 ? null : `no disk can be made to fail here: ${(stdout + stderr).trim()}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * An ext4 file system in a file, which the kernel makes read-only as after an error of its disk: at once, also for files
 * that are open, and what was not yet on the disk is lost. Seen through the /proc entry of the process in whose namespace
 * it is mounted; nothing is left of it when that ends.
 */
export class FailingDisk {
  readonly path: string;
  readonly #folder: string;
  readonly #holder: ChildProcess;

  private constructor(path: string, folder: string, holder: ChildProcess) {
    this.path = path;
    this.#folder = folder;
    this.#holder = holder;
  }

  static async mount(megabytes: number): Promise<FailingDisk> {
    const folder = mkdtempSync(join(tmpdir(), "anchorage-disk-"));
    const script = `cd "$0" && mkdir disk && truncate -s ${megabytes}M image && mkfs.ext4 -q -F image &&
mount -o loop,errors=remount-ro image disk && echo mounted && exec cat`;
    const args = ["-m", "--propagation", "private", "sh", "-c", script, folder];
    const holder = spawn("unshare", args, { stdio: ["pipe", "pipe", "inherit"] }); // ends with this process: its stdin does
    const [said] = (await once(holder.stdout!, "data")) as [Buffer];
    if (!String(said).startsWith("mounted")) throw new Error(`no disk to fail: ${String(said)}`);
    return new FailingDisk(`/proc/${holder.pid}/root${folder}/disk`, folder, holder);
  }

  /** From now on every write is refused, whoever has what open. */
  async fail(): Promise<void> {
    await this.#inside('mount -o remount,abort "$0/disk"');
  }

  /** As a person would: checked, mended, mounted again. Nobody may have a file of it open. */
  async repair(): Promise<void> {
    await this.#inside(
      'umount "$0/disk" && { e2fsck -fy "$0/image" || [ $? = 1 ]; } && mount -o loop "$0/image" "$0/disk"',
    );
  }

  async remove(): Promise<void> {
    const gone = once(this.#holder, "exit");
    this.#holder.kill("SIGKILL");
    await gone;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #inside(script: string): Promise<void> {
    await execa("nsenter", ["-t", String(this.#holder.pid), "-m", "sh", "-c", script, this.#folder]);
  }
}
