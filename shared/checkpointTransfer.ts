import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Writable } from "node:stream";
import type { CallOptions, ClientReadableStream, ClientWritableStream } from "@grpc/grpc-js";
import type { CheckpointChunk, CheckpointChunk__Output } from "../proto/gen/anchorage/v1/CheckpointChunk.ts";
import type { CheckpointHeader__Output } from "../proto/gen/anchorage/v1/CheckpointHeader.ts";
import type { CoordinatorClient as Stub } from "../proto/gen/anchorage/v1/Coordinator.ts";
import type { LoadCheckpointRequest } from "../proto/gen/anchorage/v1/LoadCheckpointRequest.ts";
import type { SaveCheckpointReply__Output } from "../proto/gen/anchorage/v1/SaveCheckpointReply.ts";
import { OperatorError } from "./errors.ts";

/** Everything a learner needs to go on, as one opaque piece of bytes. */
export interface StoredCheckpoint {
  readonly generation: number; // of the learner that took it
  readonly update: number; // updates done
  readonly meanReturn: number; // of the last 100 episodes; NaN: none yet
  readonly bytes: Uint8Array;
}

/** What else goes the way of a checkpoint: the minibatch of a step that was refused, for people to look at. */
export interface RefusedMinibatchFile {
  readonly generation: number;
  readonly update: number; // updates done
  readonly bytes: Uint8Array;
}
/** Its name in the run folder; there is one, the newest. */
export const refusedMinibatchName = "refused-minibatch.safetensors";
/** The run folder's copy of what RunConfig's initFrom names: a policy or a checkpoint. */
export const initialFileName = "initial-policy";

type SentFile = StoredCheckpoint | RefusedMinibatchFile;

export const checkpointChunkBytes = 1024 * 1024;
/** A header that promises more is refused: the bytes are held in memory once. */
export const maxCheckpointBytes = 4 * 1024 ** 3;

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Writes header and chunks to a stream, waiting whenever it is full. Rejects if the stream fails. */
async function writeChunks(stream: Writable, file: SentFile, signal: AbortSignal): Promise<void> {
  const { generation, update, bytes } = file;
  const kind = "meanReturn" in file ? { mean_return: file.meanReturn } : { refused_minibatch: true };
  const header = { generation, update, total_bytes: bytes.length, sha256: sha256(bytes), ...kind };
  stream.write({ header } satisfies CheckpointChunk);
  for (let at = 0; at < bytes.length; at += checkpointChunkBytes) {
    signal.throwIfAborted();
    const chunk = bytes.subarray(at, at + checkpointChunkBytes);
    if (!stream.write({ data: chunk } satisfies CheckpointChunk)) await once(stream, "drain", { signal });
  }
}

/** Collects header and chunks and checks them; `accept` may refuse by throwing as soon as the header is there. */
export class CheckpointAssembly {
  header: CheckpointHeader__Output | null = null;
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  /** Throws CORRUPT on a part that does not fit. */
  add(chunk: CheckpointChunk__Output): void {
    if (chunk.header) {
      if (this.header !== null) throw this.#bad("a second header");
      if (chunk.header.total_bytes > maxCheckpointBytes) throw this.#bad(`${chunk.header.total_bytes} bytes announced`);
      this.header = chunk.header;
      return;
    }
    if (this.header === null) throw this.#bad("data before the header");
    const data = chunk.data ?? Buffer.alloc(0);
    this.#bytes += data.length;
    if (this.#bytes > this.header.total_bytes)
      throw this.#bad(`more than the announced ${this.header.total_bytes} bytes`);
    this.#chunks.push(data);
  }

  /** A killed peer can look like a clean end of stream, so only length and checksum tell. Throws CORRUPT. */
  finish(): StoredCheckpoint {
    const { header } = this;
    if (header === null) throw this.#bad("the stream ended before the header");
    if (this.#bytes !== header.total_bytes) throw this.#bad(`${this.#bytes} of ${header.total_bytes} bytes came`);
    const bytes = Buffer.concat(this.#chunks);
    this.#chunks = [];
    const digest = sha256(bytes);
    if (digest !== header.sha256) throw this.#bad(`its sha256 is ${digest}, announced was ${header.sha256}`);
    return { generation: header.generation, update: header.update, meanReturn: header.mean_return, bytes };
  }

  #bad(what: string): OperatorError {
    return new OperatorError("CORRUPT", `The checkpoint stream is broken: ${what}.`, "It is not used; send it again.");
  }
}

export function sendCheckpoint(
  stub: Stub,
  file: SentFile,
  options: CallOptions,
  signal?: AbortSignal,
): Promise<SaveCheckpointReply__Output> {
  return new Promise((resolve, reject) => {
    const ended = new AbortController();
    const call: ClientWritableStream<CheckpointChunk> = stub.saveCheckpoint(options, (error, reply) => {
      signal?.removeEventListener("abort", cancel);
      ended.abort();
      if (error) reject(signal?.aborted ? signal.reason : error);
      else resolve(reply!);
    });
    const cancel = (): void => call.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    call.on("error", () => ended.abort()); // the callback above has the status
    writeChunks(call, file, ended.signal).then(
      () => call.end(),
      // An early answer (refused) ends the writing; anything else is our own failure and must end the call.
      (error: unknown) => {
        if (ended.signal.aborted) return;
        call.cancel();
        reject(error);
      },
    );
  });
}

export async function receiveCheckpoint(
  stub: Stub,
  request: LoadCheckpointRequest,
  options: CallOptions,
  signal?: AbortSignal,
): Promise<StoredCheckpoint | null> {
  const call: ClientReadableStream<CheckpointChunk__Output> = stub.loadCheckpoint(request, options);
  const cancel = (): void => call.cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  const assembly = new CheckpointAssembly();
  try {
    let empty = true;
    for await (const chunk of call as AsyncIterable<CheckpointChunk__Output>) {
      assembly.add(chunk);
      empty = false;
    }
    return empty ? null : assembly.finish();
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", cancel);
    call.cancel();
  }
}
