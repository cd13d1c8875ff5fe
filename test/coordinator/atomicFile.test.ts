import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { AtomicFile } from "../../coordinator/atomicFile.ts";
import { FailingDisk, noFailingDisk } from "../chaos/failingDisk.ts";
import { named } from "../chaos/skipReason.ts";

const cannotFail = noFailingDisk();
it.skipIf(cannotFail !== null)(
  named("a file whose disk fails while it is written is a STORAGE error: senders keep what it was to hold", cannotFail),
  async () => {
    const disk = await FailingDisk.mount(8);
    onTestFinished(() => disk.remove());
    const [half, whole] = [
      await AtomicFile.create(join(disk.path, "a")),
      await AtomicFile.create(join(disk.path, "b")),
    ];
    await whole.write(Buffer.alloc(1000));
    await disk.fail();
    await expect(half.write(Buffer.alloc(1000))).rejects.toThrow(
      /^\[STORAGE\] .*\/a cannot be written: (?:EROFS|EIO): /,
    );
    await expect(whole.commit()).rejects.toThrow(/^\[STORAGE\] .*\/b cannot be written: (?:EROFS|EIO): /);
  },
);
