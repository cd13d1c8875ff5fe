import { once } from "node:events";
import { join } from "node:path";
import type { ServerReadableStream, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import type { CheckpointChunk, CheckpointChunk__Output } from "../proto/gen/anchorage/v1/CheckpointChunk.ts";
import type { CheckpointHeader, CheckpointHeader__Output } from "../proto/gen/anchorage/v1/CheckpointHeader.ts";
import type { LoadCheckpointRequest__Output } from "../proto/gen/anchorage/v1/LoadCheckpointRequest.ts";
import type { SaveCheckpointReply } from "../proto/gen/anchorage/v1/SaveCheckpointReply.ts";
import { checkpointChunkBytes, maxCheckpointBytes, refusedMinibatchName } from "../shared/checkpointTransfer.ts";
import { OperatorError } from "../shared/errors.ts";
import { AtomicFile } from "./atomicFile.ts";
import { brokenUpload, CheckpointUpload } from "./checkpointUpload.ts";
import { openInitialFile } from "./initialFile.ts";
import type { TrainingRun } from "./trainingRun.ts";

/** A learner that stopped in mid-stream without closing it must not hold up its successor. */
const silentMs = 30_000;

type SaveCall = ServerReadableStream<CheckpointChunk__Output, SaveCheckpointReply>;
type LoadCall = ServerWritableStream<LoadCheckpointRequest__Output, CheckpointChunk>;

/**
 * SaveCheckpoint and LoadCheckpoint: between the stream and the store, chunk by chunk. One upload at a time. The minibatch
 * of a refused step comes in the same way.
 */
export class CheckpointStreams {
  readonly #run: TrainingRun;
  #uploading: Promise<unknown> = Promise.resolve();

  constructor(run: TrainingRun) {
    this.#run = run;
  }

  /** Answers `refused` for what cannot be stored; the run goes on and the learner keeps the checkpoint. */
  save(call: SaveCall, callback: sendUnaryData<SaveCheckpointReply>): void {
    const { metrics, log } = this.#run.parts;
    const done = this.#uploading.then(() => this.#receive(call));
    this.#uploading = done.catch(() => undefined); // reported below
    done
      .then(async (header) => {
        if (header.refused_minibatch) log.warn(`the minibatch of a refused step is in ${refusedMinibatchName}`);
        else await this.#checkpointStored(header);
        callback(null, { stored: true, refused: "" });
      })
      .catch((error: unknown) => {
        call.resume(); // let the rest of the stream run dry
        if (!(error instanceof OperatorError)) return callback(error as Error);
        const reason = error.code === "STORAGE" ? "storage" : error.code === "MISMATCH" ? "generation" : "corrupt";
        metrics.checkpointsRefused.inc({ reason });
        if (reason === "storage") metrics.storageFailures.inc();
        log.error(`checkpoint refused: ${error.message}`);
        callback(null, { stored: false, refused: error.message });
      });
  }

  async #checkpointStored({ update, total_bytes: bytes }: CheckpointHeader__Output): Promise<void> {
    const { metrics, log, store } = this.#run.parts;
    if (!store.state.current.checkpointed) await store.state.change(() => ({ checkpointed: true }));
    metrics.checkpointsStored.inc();
    log.debug({ update, bytes }, "checkpoint stored");
    this.#run.emit("changed");
  }

  async #receive(call: SaveCall): Promise<CheckpointHeader__Output> {
    const watchdog = new AbortController();
    const timer = setTimeout(() => watchdog.abort(), silentMs);
    call.once("cancelled", () => watchdog.abort());
    let upload: CheckpointUpload | null = null;
    try {
      let header: CheckpointHeader__Output | null = null;
      for await (const chunk of chunksOf(call, watchdog.signal)) {
        timer.refresh();
        if (chunk.header) {
          if (header !== null)
            throw new OperatorError("CORRUPT", "The checkpoint stream has two headers.", "Send it again.");
          header = chunk.header;
          this.#admit(header);
          if (this.#run.parts.checkpoints.has(header)) return header; // its answer was lost: it is stored already
          upload = await this.#begin(header);
        } else await required(upload).write(chunk.data ?? Buffer.alloc(0));
      }
      await required(upload).commit();
      upload = null;
      return header!;
    } finally {
      clearTimeout(timer);
      await upload?.abandon();
    }
  }

  async #begin(header: CheckpointHeader__Output): Promise<CheckpointUpload> {
    const { checkpoints, store } = this.#run.parts;
    if (!header.refused_minibatch) return checkpoints.begin(header);
    if (header.total_bytes > maxCheckpointBytes) throw brokenUpload(`${header.total_bytes} bytes are announced`);
    return new CheckpointUpload(header, await AtomicFile.create(join(store.folder, refusedMinibatchName)));
  }

  /** Throws MISMATCH for a learner that does not own the run (any more). */
  #admit(header: CheckpointHeader__Output): void {
    const refusal = this.#run.parts.members.refusal(header.generation);
    if (refusal !== null)
      throw new OperatorError("MISMATCH", `The checkpoint of ${refusal}.`, "That learner must exit.");
  }

  async load(call: LoadCall): Promise<void> {
    const { checkpoints, metrics, log } = this.#run.parts;
    const gone = new AbortController();
    for (const event of ["cancelled", "close", "error"]) call.on(event, () => gone.abort());
    if (call.request.initial_file) {
      const { file, sha256 } = await openInitialFile(this.#run.parts.store);
      const { size } = await file.stat();
      const header = { generation: 0, update: 0, total_bytes: size, sha256, mean_return: Number.NaN };
      const chunks = file.createReadStream({ highWaterMark: checkpointChunkBytes }) as AsyncIterable<Buffer>;
      if (await sent(call, header, chunks, gone.signal)) call.end();
      return;
    }
    const entry = await checkpoints.find(call.request.update);
    if (entry !== null) {
      const { generation, update, bytes, sha256, meanReturn } = entry;
      const header = { generation, update, total_bytes: bytes, sha256, mean_return: meanReturn ?? Number.NaN };
      if (!(await sent(call, header, checkpoints.read(entry), gone.signal))) return;
      metrics.checkpointsLoaded.inc();
      log.info({ update, generation, bytes }, "checkpoint served");
    }
    call.end();
  }
}

/** Header and chunks; false: the learner has gone. */
async function sent(
  call: LoadCall,
  header: CheckpointHeader,
  chunks: AsyncIterable<Buffer>,
  gone: AbortSignal,
): Promise<boolean> {
  call.write({ header });
  for await (const data of chunks) {
    if (gone.aborted) return false;
    if (!call.write({ data })) await once(call, "drain", { signal: gone });
  }
  return true;
}

function required(upload: CheckpointUpload | null): CheckpointUpload {
  if (upload !== null) return upload;
  throw new OperatorError("CORRUPT", "The checkpoint stream has no header.", "Send the header first.");
}

/**
 * The stream's messages; throws CORRUPT when `signal` aborts. A cancelled stream may neither end nor fail, so a plain
 * `for await` over it could wait for ever.
 */
async function* chunksOf(call: SaveCall, signal: AbortSignal): AsyncGenerator<CheckpointChunk__Output> {
  const iterator = call.iterator({ destroyOnReturn: false });
  const broken = new Promise<never>((_, reject) => {
    const fail = (): void =>
      reject(new OperatorError("CORRUPT", "The checkpoint stream broke off.", "It is not stored; send it again."));
    if (signal.aborted) fail();
    else signal.addEventListener("abort", fail, { once: true });
  });
  broken.catch(() => undefined); // unless it is raced below
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), broken]);
      if (next.done) return;
      yield next.value as CheckpointChunk__Output;
    }
  } finally {
    void iterator.return?.(); // not awaited: behind a next() that never answers it would not answer either
  }
}
