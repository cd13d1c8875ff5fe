import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { CheckpointHeader__Output } from "../proto/gen/anchorage/v1/CheckpointHeader.ts";
import { checkpointChunkBytes, maxCheckpointBytes } from "../shared/checkpointTransfer.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { AtomicFile, storageError, syncFolder, writeAtomically } from "./atomicFile.ts";

/** The sidecar `<name>.json` of `<name>.ckpt`, written after it: a checkpoint without one was never finished. */
const Entry = z.object({
  update: z.int().positive(),
  generation: z.int().positive(),
  bytes: z.int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  meanReturn: z.number().nullable().describe("of the last 100 episodes; null: none yet"),
  saved: z.string(),
});
export type CheckpointEntry = Readonly<z.infer<typeof Entry>> & { readonly name: string };

export interface CheckpointStoreEvents {
  /** A checkpoint failed its checksum: it was set aside under `file`.damaged and is not served. */
  readonly onDamaged: (file: string, why: string) => void;
}

/**
 * checkpoints/: whole files with their sha256, the newest `kept` and beside them the best by mean return. Bytes go to and
 * from the disk in chunks, so memory does not grow with their size.
 */
export class CheckpointStore {
  readonly #folder: string;
  readonly #kept: number;
  readonly #log: Logger;
  readonly #events: CheckpointStoreEvents;
  #entries: CheckpointEntry[] = []; // oldest first
  #damaged: number[] = []; // updates of those set aside

  private constructor(folder: string, kept: number, log: Logger, events: CheckpointStoreEvents) {
    this.#folder = folder;
    this.#kept = kept;
    this.#log = log;
    this.#events = events;
  }

  /** Lists what is there and removes what a crash left unfinished; contents are verified when they are served. */
  static async open(
    folder: string,
    kept: number,
    log: Logger,
    events: CheckpointStoreEvents,
  ): Promise<CheckpointStore> {
    const store = new CheckpointStore(folder, kept, log, events);
    const names = await readdir(folder);
    for (const file of names.filter((name) => name.endsWith(".json")))
      await store.#list(file.slice(0, -".json".length));
    store.#entries.sort(byAge);
    store.#damaged.push(
      ...names.filter((name) => name.endsWith(".damaged")).map((name) => Number.parseInt(name, 10) || 1),
    );
    const listed = new Set(store.#entries.map((entry) => `${entry.name}.ckpt`));
    for (const file of names.filter((name) => name.endsWith(".ckpt") && !listed.has(name))) {
      log.warn(`removing ${file}: it was never finished`);
      await rm(join(folder, file), { force: true });
    }
    return store;
  }

  /** Oldest first. */
  get entries(): readonly CheckpointEntry[] {
    return this.#entries;
  }

  get newest(): CheckpointEntry | null {
    return this.#entries.at(-1) ?? null;
  }

  /**
   * Updates done at the newest checkpoint, 0: none was ever stored. If all are damaged it is that of a damaged one, and
   * find() fails: a run that has lost its checkpoints must not quietly begin afresh.
   */
  get newestUpdate(): number {
    return this.newest?.update ?? Math.max(0, ...this.#damaged);
  }

  /** Highest mean return; of equal ones the newest. null: none has finished an episode. */
  get best(): CheckpointEntry | null {
    let best: CheckpointEntry | null = null;
    for (const entry of this.#entries)
      if (entry.meanReturn !== null && (best === null || entry.meanReturn >= (best.meanReturn ?? -Infinity)))
        best = entry;
    return best;
  }

  /** Is this very checkpoint stored already (sent again after a lost answer)? */
  has(header: CheckpointHeader__Output): boolean {
    return this.#entries.some((entry) => entry.name === nameOf(header) && entry.sha256 === header.sha256);
  }

  /** Begins to store a checkpoint. Throws CORRUPT for an impossible header, STORAGE if the disk does not take it. */
  async begin(header: CheckpointHeader__Output): Promise<CheckpointUpload> {
    const { update, generation, total_bytes: bytes, sha256 } = header;
    const entry = Entry.safeParse({ update, generation, bytes, sha256, meanReturn: null, saved: "" });
    if (!entry.success || bytes > maxCheckpointBytes)
      throw corrupt(
        `its header is impossible: update ${update}, generation ${generation}, ${bytes} bytes, sha256 "${sha256}"`,
      );
    const file = await AtomicFile.create(join(this.#folder, `${nameOf(header)}.ckpt`));
    return new CheckpointUpload(header, file, () => this.#finish(header));
  }

  async #finish(header: CheckpointHeader__Output): Promise<void> {
    const name = nameOf(header);
    const { update, generation, total_bytes: bytes, sha256, mean_return: mean } = header;
    const meanReturn = Number.isFinite(mean) ? mean : null;
    const entry = { update, generation, bytes, sha256, meanReturn, saved: new Date().toISOString() };
    try {
      await writeAtomically(join(this.#folder, `${name}.json`), `${JSON.stringify(entry, null, 2)}\n`);
    } catch (error) {
      await rm(join(this.#folder, `${name}.ckpt`), { force: true });
      throw error;
    }
    this.#entries = [...this.#entries.filter((other) => other.name !== name), { ...entry, name }].sort(byAge);
    await this.#prune();
  }

  /** The sidecar goes first: a crash in between leaves an unfinished file, not a damaged checkpoint. */
  async #prune(): Promise<void> {
    const best = this.best;
    const surplus = this.#entries.slice(0, -this.#kept).filter((entry) => entry !== best);
    for (const { name } of surplus) {
      try {
        await rm(join(this.#folder, `${name}.json`), { force: true });
        await rm(join(this.#folder, `${name}.ckpt`), { force: true });
        this.#entries = this.#entries.filter((entry) => entry.name !== name);
      } catch (error) {
        this.#log.error({ err: error }, `the old checkpoint ${name} cannot be removed`); // the new one is stored all the same
      }
    }
  }

  /**
   * The checkpoint after `update` updates, or with 0 the newest good one; null: none. Verified whole before it is
   * returned; a damaged newest is set aside loudly and the one before is taken. Throws CORRUPT if the one asked for is
   * damaged, MISMATCH if it is not stored, CORRUPT if there were checkpoints and all are damaged.
   */
  async find(update: number): Promise<CheckpointEntry | null> {
    const candidates = this.#entries.filter((entry) => update === 0 || entry.update === update).reverse();
    if (update !== 0 && candidates.length === 0) {
      const stored = this.#entries.map((entry) => entry.update).join(", ") || "none";
      const problem = `There is no checkpoint after update ${update}; stored: ${stored}.`;
      throw new OperatorError("MISMATCH", problem, "Ask for one of these, or for the newest (0).");
    }
    for (const entry of candidates) if (await this.#isGood(entry)) return entry;
    if (this.#damaged.length === 0) return null;
    const problem = `${update === 0 ? "Every checkpoint" : `The checkpoint after update ${update}`} in ${this.#folder} is damaged.`;
    const remedy = "Restore one from a backup (.ckpt and .json), or start a new run; the damaged ones are kept.";
    throw new OperatorError("CORRUPT", problem, remedy);
  }

  /** The bytes of an entry that find() gave, in chunks of up to 1 MiB. */
  read(entry: CheckpointEntry): AsyncIterable<Buffer> {
    return createReadStream(join(this.#folder, `${entry.name}.ckpt`), { highWaterMark: checkpointChunkBytes });
  }

  async #isGood(entry: CheckpointEntry): Promise<boolean> {
    const why = await this.#damage(entry);
    if (why === null) return true;
    await this.#setAside(entry.name, why);
    return false;
  }

  async #damage(entry: CheckpointEntry): Promise<string | null> {
    const hash = createHash("sha256");
    let bytes = 0;
    try {
      for await (const chunk of this.read(entry)) {
        hash.update(chunk);
        bytes += chunk.length;
      }
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== "ENOENT" && code !== "EIO") throw storageError(`${entry.name}.ckpt cannot be read`, error);
      return messageOf(error);
    }
    if (bytes !== entry.bytes) return `it has ${bytes} bytes instead of ${entry.bytes}`;
    const digest = hash.digest("hex");
    return digest === entry.sha256 ? null : `its sha256 is ${digest} instead of ${entry.sha256}`;
  }

  async #list(name: string): Promise<void> {
    const path = join(this.#folder, `${name}.json`);
    try {
      const entry = Entry.parse(JSON.parse(await readFile(path, "utf8")));
      if (nameOf(entry) !== name) throw new OperatorError("CORRUPT", `it names ${nameOf(entry)}.`, "");
      this.#entries.push({ ...entry, name });
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof z.ZodError || error instanceof OperatorError))
        throw storageError(`${path} cannot be read`, error);
      await this.#setAside(name, `its ${name}.json is damaged: ${messageOf(error)}`);
    }
  }

  /** Kept for whoever wants to look, but under a name that is never served. */
  async #setAside(name: string, why: string): Promise<void> {
    for (const file of [`${name}.json`, `${name}.ckpt`]) {
      const path = join(this.#folder, file);
      await rename(path, `${path}.damaged`).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw storageError(`The damaged ${path} cannot be set aside`, error);
      });
    }
    await syncFolder(this.#folder);
    this.#entries = this.#entries.filter((entry) => entry.name !== name);
    this.#damaged.push(Number.parseInt(name, 10) || 1);
    this.#log.error(`checkpoint ${name} is damaged and was set aside as ${name}.ckpt.damaged: ${why}`);
    this.#events.onDamaged(`${name}.ckpt`, why);
  }
}

/** One checkpoint on its way in. Either commit() or abandon() must follow. */
export class CheckpointUpload {
  readonly header: CheckpointHeader__Output;
  readonly #file: AtomicFile;
  readonly #stored: () => Promise<void>;
  readonly #hash = createHash("sha256");
  #bytes = 0;

  constructor(header: CheckpointHeader__Output, file: AtomicFile, stored: () => Promise<void>) {
    this.header = header;
    this.#file = file;
    this.#stored = stored;
  }

  async write(data: Uint8Array): Promise<void> {
    this.#bytes += data.length;
    if (this.#bytes > this.header.total_bytes)
      throw corrupt(`more than the announced ${this.header.total_bytes} bytes came`);
    this.#hash.update(data);
    await this.#file.write(data);
  }

  /** A killed learner's stream can look finished: only length and checksum tell. Throws CORRUPT, STORAGE. */
  async commit(): Promise<void> {
    const { total_bytes: total, sha256 } = this.header;
    if (this.#bytes !== total) throw corrupt(`${this.#bytes} of ${total} bytes came`);
    const digest = this.#hash.digest("hex");
    if (digest !== sha256) throw corrupt(`its sha256 is ${digest}, announced was ${sha256}`);
    await this.#file.commit();
    await this.#stored();
  }

  abandon(): Promise<void> {
    return this.#file.abandon();
  }
}

function corrupt(what: string): OperatorError {
  return new OperatorError("CORRUPT", `The checkpoint sent is broken: ${what}.`, "It is not stored; send it again.");
}

const nameOf = (of: { update: number; generation: number; sha256: string }): string =>
  `${String(of.update).padStart(8, "0")}-g${of.generation}-${of.sha256.slice(0, 8)}`;

const byAge = (a: CheckpointEntry, b: CheckpointEntry): number =>
  a.update - b.update || a.generation - b.generation || (a.saved < b.saved ? -1 : 1);
