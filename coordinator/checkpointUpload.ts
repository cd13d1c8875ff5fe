import { createHash } from "node:crypto";
import type { CheckpointHeader__Output } from "../proto/gen/anchorage/v1/CheckpointHeader.ts";
import { OperatorError } from "../shared/errors.ts";
import type { AtomicFile } from "./atomicFile.ts";

/** One checkpoint, or the minibatch of a refused step, on its way in. Either commit() or abandon() must follow. */
export class CheckpointUpload {
  readonly header: CheckpointHeader__Output;
  readonly #file: AtomicFile;
  readonly #stored: (() => Promise<void>) | null;
  readonly #hash = createHash("sha256");
  #bytes = 0;

  /** @param stored once the file is there */
  constructor(header: CheckpointHeader__Output, file: AtomicFile, stored: (() => Promise<void>) | null = null) {
    this.header = header;
    this.#file = file;
    this.#stored = stored;
  }

  async write(data: Uint8Array): Promise<void> {
    this.#bytes += data.length;
    if (this.#bytes > this.header.total_bytes)
      throw brokenUpload(`more than the announced ${this.header.total_bytes} bytes came`);
    this.#hash.update(data);
    await this.#file.write(data);
  }

  /** A killed learner's stream can look finished: only length and checksum tell. Throws CORRUPT, STORAGE. */
  async commit(): Promise<void> {
    const { total_bytes: total, sha256 } = this.header;
    if (this.#bytes !== total) throw brokenUpload(`${this.#bytes} of ${total} bytes came`);
    const digest = this.#hash.digest("hex");
    if (digest !== sha256) throw brokenUpload(`its sha256 is ${digest}, announced was ${sha256}`);
    await this.#file.commit();
    await this.#stored?.();
  }

  abandon(): Promise<void> {
    return this.#file.abandon();
  }
}

/** What was sent cannot be stored. */
export function brokenUpload(what: string): OperatorError {
  return new OperatorError("CORRUPT", `The checkpoint sent is broken: ${what}.`, "It is not stored; send it again.");
}
