import { writeSync } from "node:fs";
import { messageOf } from "./errors.ts";

/** Of lines that wait while nothing can be written; what does not fit is lost and counted. */
const mostHeldBytes = 1024 * 1024;
const busyMs = 10;
/** A reader that is this slow must not hold the process up any longer. */
const mostBusyWaits = 100;

/**
 * A log's lines onto a file descriptor, synchronously: the last words before a crash are the ones that matter. Never
 * throws: a full disk must not end what the log reports on. Lines then wait, up to 1 MiB of them, and are written, whole
 * and in order, with the first one that finds space again; `onLost` tells how many did not fit and why.
 */
export class LogSink {
  readonly #fd: number;
  readonly #onLost: (lines: number, why: string) => void;
  readonly #held: Buffer[] = [];
  #heldBytes = 0;
  #lost = 0;
  #why: string | null = null; // the last write failed

  constructor(fd: number, onLost: (lines: number, why: string) => void) {
    this.#fd = fd;
    this.#onLost = onLost;
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#heldBytes + bytes.length <= mostHeldBytes) {
      this.#held.push(bytes);
      this.#heldBytes += bytes.length;
    } else this.#lost++;
    this.#flush();
  }

  #flush(): void {
    try {
      while (this.#held.length > 0) {
        const [first] = this.#held as [Buffer];
        const written = this.#writeSome(first);
        this.#heldBytes -= written;
        if (written === first.length) this.#held.shift();
        else this.#held[0] = first.subarray(written);
      }
    } catch (error) {
      this.#why = messageOf(error);
      return;
    }
    const [lines, why] = [this.#lost, this.#why];
    this.#lost = 0;
    this.#why = null;
    if (lines > 0) this.#onLost(lines, why ?? "");
  }

  /** Bytes written, perhaps not all. A pipe that is full for a moment is waited for, unless it was full before. */
  #writeSome(bytes: Buffer): number {
    for (let waits = 0; ; waits++)
      try {
        return writeSync(this.#fd, bytes);
      } catch (error) {
        const busy = (error as NodeJS.ErrnoException).code === "EAGAIN";
        if (!busy || this.#why !== null || waits === mostBusyWaits) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, busyMs);
      }
  }
}
