import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OwnMounts } from "./ownMounts.ts";

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
 * that are open, and what was not yet on the disk is lost.
 */
export class FailingDisk {
  readonly path: string;
  readonly #mounts: OwnMounts;

  private constructor(mounts: OwnMounts) {
    this.path = mounts.at("disk");
    this.#mounts = mounts;
  }

  static async mount(megabytes: number): Promise<FailingDisk> {
    const made = `cd "$0" && mkdir disk && truncate -s ${megabytes}M image && mkfs.ext4 -q -F image`;
    return new FailingDisk(await OwnMounts.by(`${made} && mount -o loop,errors=remount-ro image disk`));
  }

  /** From now on every write is refused, whoever has what open. */
  async fail(): Promise<void> {
    await this.#mounts.run('mount -o remount,abort "$0/disk"');
  }

  /** As a person would: checked, mended, mounted again. Nobody may have a file of it open. */
  async repair(): Promise<void> {
    await this.#mounts.run(
      'umount "$0/disk" && { e2fsck -fy "$0/image" || [ $? = 1 ]; } && mount -o loop "$0/image" "$0/disk"',
    );
  }

  async remove(): Promise<void> {
    await this.#mounts.remove();
  }
}
