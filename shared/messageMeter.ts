/** Bytes before a gRPC message: a flag (1: compressed) and the length, big-endian. */
const prefixBytes = 5;

/** What a call's bytes are at: grpc-js looks only when a message is whole, which a hostile one never is. */
export class MessageMeter {
  readonly #prefix = Buffer.alloc(prefixBytes);
  #have = 0; // bytes of the prefix
  #left = 0; // bytes of the message still to come
  /** Bytes of the message that is not whole yet. */
  pending = 0;
  /** Whole messages so far. */
  messages = 0;
  /** The longest that a message said of itself. */
  longest = 0;
  compressed = false;

  /** Counts a piece of the call's body, wherever it was cut. */
  feed(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#have < prefixBytes) {
        this.#prefix[this.#have++] = chunk[at++]!;
        if (this.#have < prefixBytes) continue;
        this.#left = this.#prefix.readUInt32BE(1);
        this.longest = Math.max(this.longest, this.#left);
        this.compressed ||= this.#prefix[0] !== 0;
      }
      const here = Math.min(this.#left, chunk.length - at);
      at += here;
      this.#left -= here;
      this.pending += here;
      if (this.#left > 0) continue;
      this.messages++;
      this.#have = 0;
      this.pending = 0;
    }
  }
}
