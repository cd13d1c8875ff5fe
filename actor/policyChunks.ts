import { chunkBytes, chunkHeader } from "../shared/policySnapshot.ts";
import { sha256Hex } from "../shared/rolloutCodec.ts";

/** One message of a policy version, as it says of itself. */
export interface PolicyChunk {
  readonly version: number;
  readonly digest: string; // of the whole snapshot
  readonly offset: number;
  readonly total: number; // bytes of the snapshot
  readonly data: Uint8Array;
}

/** A snapshot larger than this is not one of ours: a wrong header must not ask for memory. */
const maxSnapshotBytes = 512 * 1024 * 1024;

/** null: the message is no chunk of a policy. */
export function parseChunk(headers: { get(name: string): string } | undefined, data: Uint8Array): PolicyChunk | null {
  if (headers === undefined) return null;
  const number = (name: string): number => {
    const text = headers.get(name);
    return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  };
  const [version, offset, total] = [chunkHeader.version, chunkHeader.offset, chunkHeader.total].map(number) as [
    number,
    number,
    number,
  ];
  const digest = headers.get(chunkHeader.digest);
  // Chunks lie on a grid, so that they cannot overlap and a snapshot has no more of them than fit into it.
  const placed = offset % chunkBytes === 0 && offset < total && data.length === Math.min(chunkBytes, total - offset);
  const sound = /^[0-9a-f]{64}$/.test(digest) && version >= 0 && placed && total <= maxSnapshotBytes;
  return sound ? { version, digest, offset, total, data } : null;
}

/** A snapshot's buffer: shared memory, which every worker reads without a copy of its own per job. */
interface Snapshot {
  readonly version: number;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  users: number;
  dropped: boolean;
}
interface Assembly extends Snapshot {
  readonly offsets: Set<number>;
  asked: boolean; // some of it came from the stream, for a lease
  received: number;
}

/** A snapshot in use: its bytes stay as they are until `release`, which is called once. */
export interface HeldPolicy {
  readonly bytes: Uint8Array; // on a SharedArrayBuffer
  readonly release: () => void;
}

/**
 * Puts chunks together by digest, wherever they come from and in whatever order, so that chunks of different versions
 * never mix. Keeps the `kept` whole snapshots that were last received or used, and as many unfinished ones. Buffers are
 * used again: V8 does not count shared memory when it decides to collect garbage, so that a new buffer for every version
 * piles up (measured: nothing freed in 24 versions of 7 MB).
 */
export class PolicyChunks {
  readonly #kept: number;
  readonly #whole = new Map<string, Snapshot>(); // by digest, least recently used first
  readonly #parts = new Map<string, Assembly>(); // by digest, least recently received first
  readonly #free: SharedArrayBuffer[] = [];

  constructor(kept: number) {
    this.#kept = kept;
  }

  /** Of the whole snapshots; -1: none yet. */
  get newestVersion(): number {
    return Math.max(-1, ...[...this.#whole.values()].map(({ version }) => version));
  }

  has(digest: string): boolean {
    return this.#whole.has(digest);
  }

  /** Bytes of a snapshot of which something has come; null: nothing yet, or all of it. */
  totalOf(digest: string): number | null {
    return this.#parts.get(digest)?.bytes.length ?? null;
  }

  /** Is this piece here, or all of the snapshot? */
  hasPart(digest: string, offset: number): boolean {
    return this.#whole.has(digest) || (this.#parts.get(digest)?.offsets.has(offset) ?? false);
  }

  /** null: it is not here. */
  hold(digest: string): HeldPolicy | null {
    const snapshot = this.#whole.get(digest);
    if (snapshot === undefined) return null;
    putLast(this.#whole, digest, snapshot);
    snapshot.users++;
    const release = (): void => {
      snapshot.users--;
      if (snapshot.dropped && snapshot.users === 0) this.#free.push(snapshot.bytes.buffer);
    };
    return { bytes: snapshot.bytes, release };
  }

  /** "whole": this chunk completed its snapshot. "corrupt": it is complete, but not what its digest says; it is dropped. */
  add(chunk: PolicyChunk, from: "live" | "fetched" = "live"): "whole" | "part" | "known" | "corrupt" {
    const { digest, offset, total, data } = chunk;
    if (this.#whole.has(digest)) return "known";
    const part = this.#partOf(chunk, from);
    if (part === null) return "corrupt";
    if (part.offsets.has(offset)) return "part";
    part.offsets.add(offset);
    part.bytes.set(data, offset);
    part.received += data.length;
    if (part.received < total) return "part";
    this.#parts.delete(digest);
    if (sha256Hex(part.bytes) !== digest) {
      this.#drop(part);
      return "corrupt";
    }
    this.#whole.set(digest, part);
    this.#dropFirst(this.#whole);
    return "whole";
  }

  /** null: it denies what came when it was asked for. */
  #partOf({ version, digest, total }: PolicyChunk, from: "live" | "fetched"): Assembly | null {
    const known = this.#parts.get(digest);
    if (known?.bytes.length === total) {
      known.asked ||= from === "fetched";
      putLast(this.#parts, digest, known);
      return known;
    }
    if (known?.asked && from === "live") return null;
    if (known) this.#drop(known); // the same digest cannot have two lengths: the older claim goes
    const part = {
      version,
      bytes: this.#buffer(total),
      users: 0,
      dropped: false,
      offsets: new Set<number>(),
      received: 0,
      asked: from === "fetched",
    };
    putLast(this.#parts, digest, part);
    this.#dropSurplusPart();
    return part;
  }

  /** A flood of live messages must not push out what is being asked for. */
  #dropSurplusPart(): void {
    if (this.#parts.size <= this.#kept) return;
    const entries = [...this.#parts];
    const [digest, part] = entries.find(([, { asked }]) => !asked) ?? entries[0]!;
    this.#parts.delete(digest);
    this.#drop(part);
  }

  #buffer(length: number): Uint8Array<SharedArrayBuffer> {
    const at = this.#free.findIndex((buffer) => buffer.byteLength >= length);
    const buffer = at < 0 ? new SharedArrayBuffer(length) : this.#free.splice(at, 1)[0]!;
    if (at < 0) this.#free.length = 0; // too short for what comes now
    return new Uint8Array(buffer, 0, length);
  }

  #dropFirst(of: Map<string, Snapshot>): void {
    if (of.size <= this.#kept) return;
    const [digest, snapshot] = of.entries().next().value!;
    of.delete(digest);
    this.#drop(snapshot);
  }

  #drop(snapshot: Snapshot): void {
    snapshot.dropped = true;
    if (snapshot.users === 0) this.#free.push(snapshot.bytes.buffer);
  }
}

function putLast<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
}
