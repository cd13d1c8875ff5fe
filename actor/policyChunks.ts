import { chunkHeader } from "../shared/policySnapshot.ts";
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
  const sound =
    /^[0-9a-f]{64}$/.test(digest) && version >= 0 && offset + data.length <= total && total <= maxSnapshotBytes;
  return sound && data.length > 0 ? { version, digest, offset, total, data } : null;
}

interface Assembly {
  readonly version: number;
  readonly bytes: Uint8Array; // on a SharedArrayBuffer, so that workers read it without copies
  readonly offsets: Set<number>;
  received: number;
}

/**
 * Puts chunks together by digest, wherever they come from and in whatever order, so that chunks of different versions
 * never mix. Keeps the newest `kept` whole snapshots and as many unfinished ones.
 */
export class PolicyChunks {
  readonly #kept: number;
  readonly #whole = new Map<string, { readonly version: number; readonly bytes: Uint8Array }>();
  readonly #parts = new Map<string, Assembly>();

  constructor(kept: number) {
    this.#kept = kept;
  }

  /** Of the whole snapshots; -1: none yet. */
  get newestVersion(): number {
    return Math.max(-1, ...[...this.#whole.values()].map(({ version }) => version));
  }

  get(digest: string): Uint8Array | null {
    return this.#whole.get(digest)?.bytes ?? null;
  }

  /** "whole": this chunk completed its snapshot. "corrupt": it is complete, but not what its digest says; it is dropped. */
  add({ version, digest, offset, total, data }: PolicyChunk): "whole" | "part" | "known" | "corrupt" {
    if (this.#whole.has(digest)) return "known";
    let part = this.#parts.get(digest);
    if (part === undefined || part.bytes.length !== total) {
      part = { version, bytes: new Uint8Array(new SharedArrayBuffer(total)), offsets: new Set(), received: 0 };
      this.#parts.set(digest, part);
      dropOldest(this.#parts, this.#kept);
    }
    if (part.offsets.has(offset)) return "part";
    part.offsets.add(offset);
    part.bytes.set(data, offset);
    part.received += data.length;
    if (part.received < total) return "part";
    this.#parts.delete(digest);
    if (sha256Hex(part.bytes) !== digest) return "corrupt";
    this.#whole.set(digest, { version, bytes: part.bytes });
    dropOldest(this.#whole, this.#kept);
    return "whole";
  }
}

function dropOldest(of: Map<string, { readonly version: number }>, kept: number): void {
  if (of.size <= kept) return;
  const [oldest] = [...of].sort(([, a], [, b]) => a.version - b.version)[0]!;
  of.delete(oldest);
}
