import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { CheckpointHeader__Output } from "../proto/gen/anchorage/v1/CheckpointHeader.ts";
import { checkpointChunkBytes, maxCheckpointBytes } from "../shared/checkpointTransfer.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { AtomicFile, storageError, syncFolder, writeAtomically } from "./atomicFile.ts";
import { brokenUpload, CheckpointUpload } from "./checkpointUpload.ts";

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

const damagedKept = 3;

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

  /** Lists what is there; contents are verified when they are served. */
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
    const aside = names.flatMap((name) => /^(.*)\.(?:ckpt|json)\.damaged$/.exec(name)?.[1] ?? []);
    store.#damaged.push(...[...new Set(aside)].map((name) => Number.parseInt(name, 10) || 1));
    const alone = names.filter((name) => name.endsWith(".ckpt") && !names.includes(name.replace(/ckpt$/, "json")));
    for (const file of alone) await store.#adopt(file.slice(0, -".ckpt".length));
    store.#entries.sort(byAge);
    if (alone.length > 0) await store.#prune();
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

  /** How many were damaged and set aside since the run began. */
  get damaged(): number {
    return this.#damaged.length;
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
      throw brokenUpload(
        `its header is impossible: update ${update}, generation ${generation}, ${bytes} bytes, sha256 "${sha256}"`,
      );
    const file = await AtomicFile.create(join(this.#folder, `${nameOf(header)}.ckpt`));
    return new CheckpointUpload(header, file, () => this.#finish(header));
  }

  async #finish(header: CheckpointHeader__Output): Promise<void> {
    const name = nameOf(header);
    const { update, generation, total_bytes: bytes, sha256, mean_return: mean } = header;
    const meanReturn = Number.isFinite(mean) ? mean : null;
    try {
      await this.#keep({ name, update, generation, bytes, sha256, meanReturn, saved: new Date().toISOString() });
    } catch (error) {
      await rm(join(this.#folder, `${name}.ckpt`), { force: true });
      throw error;
    }
    await this.#prune();
  }

  async #keep({ name, ...entry }: CheckpointEntry): Promise<void> {
    await writeAtomically(join(this.#folder, `${name}.json`), `${JSON.stringify(entry, null, 2)}\n`);
    this.#entries = [...this.#entries.filter((other) => other.name !== name), { ...entry, name }].sort(byAge);
  }

  /** The sidecar goes first: a crash in between leaves a file to adopt and remove again, not a damaged checkpoint. */
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
  read({ name }: Pick<CheckpointEntry, "name">): AsyncIterable<Buffer> {
    return createReadStream(join(this.#folder, `${name}.ckpt`), { highWaterMark: checkpointChunkBytes });
  }

  async #isGood(entry: CheckpointEntry): Promise<boolean> {
    const why = await this.#damage(entry);
    if (why === null) return true;
    await this.#setAside(entry.name, why);
    return false;
  }

  async #damage(entry: CheckpointEntry): Promise<string | null> {
    const found = await this.#contentOf(entry.name);
    if (typeof found === "string") return found;
    if (found.bytes !== entry.bytes) return `it has ${found.bytes} bytes instead of ${entry.bytes}`;
    return found.sha256 === entry.sha256 ? null : `its sha256 is ${found.sha256} instead of ${entry.sha256}`;
  }

  /** A text: why there is nothing to read. Throws STORAGE where reading is refused, which says nothing of the file. */
  async #contentOf(name: string): Promise<{ readonly bytes: number; readonly sha256: string } | string> {
    const hash = createHash("sha256");
    let bytes = 0;
    try {
      for await (const chunk of this.read({ name })) {
        hash.update(chunk);
        bytes += chunk.length;
      }
    } catch (error) {
      if (!saysDamage(error)) throw storageError(`${name}.ckpt cannot be read`, error);
      return messageOf(error);
    }
    return { bytes, sha256: hash.digest("hex") };
  }

  async #list(name: string): Promise<void> {
    const path = join(this.#folder, `${name}.json`);
    try {
      const entry = Entry.parse(JSON.parse(await readFile(path, "utf8")));
      if (nameOf(entry) !== name) throw new OperatorError("CORRUPT", `it names ${nameOf(entry)}.`, "");
      this.#entries.push({ ...entry, name });
    } catch (error) {
      const wrong = error instanceof SyntaxError || error instanceof z.ZodError || error instanceof OperatorError;
      if (!wrong && !saysDamage(error)) throw storageError(`${path} cannot be read`, error);
      await this.#setAside(name, `its ${name}.json is damaged: ${messageOf(error)}`);
    }
  }

  /**
   * A file without its sidecar: a crash came between the two, or the sidecar was lost. It got its name when it was whole,
   * and the name holds the beginning of its digest: if that is right it is a checkpoint like any other.
   */
  async #adopt(name: string): Promise<void> {
    const [, update, generation, digest] = /^(\d{8,})-g(\d+)-([0-9a-f]{8})$/.exec(name) ?? [];
    const found = await this.#contentOf(name);
    if (typeof found === "string") return this.#setAside(name, found);
    const saved = (await stat(join(this.#folder, `${name}.ckpt`))).mtime.toISOString();
    const entry = { update: Number(update), generation: Number(generation), ...found, meanReturn: null, saved };
    if (digest === undefined || !found.sha256.startsWith(digest) || !Entry.safeParse(entry).success)
      return this.#setAside(name, `it has no ${name}.json, and its sha256 is ${found.sha256}`);
    await this.#keep({ ...entry, name });
    this.#log.warn(`checkpoint ${name} had no ${name}.json; its bytes have the digest in its name, so it is used`);
  }

  /** Of those set aside only the newest stay: a disk that damages files must not be filled with them as well. */
  async #pruneDamaged(): Promise<void> {
    const files = (await readdir(this.#folder)).filter((name) => name.endsWith(".damaged"));
    const name = (file: string): string => file.split(".")[0]!; // begins with the update, of fixed width
    const kept = new Set([...new Set(files.map(name))].sort().slice(-damagedKept));
    for (const file of files)
      if (!kept.has(name(file))) await rm(join(this.#folder, file), { force: true, recursive: true });
  }

  /** Kept for whoever wants to look, but under a name that is never served. */
  async #setAside(name: string, why: string): Promise<void> {
    for (const file of [`${name}.json`, `${name}.ckpt`]) {
      const path = join(this.#folder, file);
      await rename(path, `${path}.damaged`).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw storageError(`The damaged ${path} cannot be set aside`, error);
      });
    }
    await this.#pruneDamaged();
    await syncFolder(this.#folder);
    this.#entries = this.#entries.filter((entry) => entry.name !== name);
    this.#damaged.push(Number.parseInt(name, 10) || 1);
    this.#log.error(`checkpoint ${name} is damaged and was set aside as ${name}.ckpt.damaged: ${why}`);
    this.#events.onDamaged(`${name}.ckpt`, why);
  }
}

const nameOf = (of: { update: number; generation: number; sha256: string }): string =>
  `${String(of.update).padStart(8, "0")}-g${of.generation}-${of.sha256.slice(0, 8)}`;

/** Of errors in reading a file: those that no later try mends. EISDIR, ELOOP: something else stands in its place. */
const saysDamage = (error: unknown): boolean =>
  ["ENOENT", "EIO", "EISDIR", "ELOOP", "EBADMSG", "EUCLEAN"].includes((error as NodeJS.ErrnoException).code ?? "");

const byAge = (a: CheckpointEntry, b: CheckpointEntry): number =>
  a.update - b.update || a.generation - b.generation || (a.saved < b.saved ? -1 : 1);
