import { constants, type ServerHttp2Stream } from "node:http2";
import { status } from "@grpc/grpc-js";
import { MessageMeter } from "./messageMeter.ts";
import type { RefusalReason } from "./portRefusals.ts";

/** What one method may cost the server. */
export interface MethodLimit {
  /** The longest message of a request, bytes. */
  readonly messageBytes: number;
  /** Until the server has answered anything, where that is less: a stranger's first message. */
  readonly firstMessageBytes?: number;
  /** Open at once, of all peers together. */
  readonly calls: number;
  /** By when the request must be whole; null: the method's own handler sees to it. */
  readonly requestMs: number | null;
}

/** A message of 64 MiB over a link of 1 MB/s comes within a minute; 90 s is for a link that also stalled. */
const messageMs = 90_000;

/** Ends a call with a status that says why; where an answer has begun already, with a reset. */
export function endCall(stream: ServerHttp2Stream, what: string): void {
  if (stream.destroyed || stream.closed) return;
  if (stream.headersSent) return stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  const trailers = {
    ":status": 200,
    "content-type": "application/grpc+proto",
    "grpc-status": String(status.RESOURCE_EXHAUSTED),
    "grpc-message": encodeURIComponent(what).replaceAll("%20", " "),
  };
  stream.respond(trailers, { endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
}

/** One open call: counts what it sends and says what is wrong with it; null: nothing. */
export class GuardedCall {
  readonly stream: ServerHttp2Stream;
  readonly path: string;
  readonly limit: MethodLimit;
  readonly #meter = new MessageMeter();
  readonly #since = performance.now();
  #messageSince = this.#since;
  #messages = 0;
  #heard = this.#since;

  constructor(stream: ServerHttp2Stream, path: string, limit: MethodLimit) {
    this.stream = stream;
    this.path = path;
    this.limit = limit;
  }

  /** Bytes of the message that is not whole yet. */
  get pending(): number {
    return this.#meter.pending;
  }

  /** A piece of the call's body. */
  receive(chunk: Uint8Array): { reason: RefusalReason; what: string } | null {
    this.#meter.feed(chunk);
    this.#heard = performance.now();
    if (this.#meter.messages !== this.#messages || this.#meter.pending === chunk.length)
      this.#messageSince = performance.now();
    this.#messages = this.#meter.messages;
    const { messageBytes, firstMessageBytes = messageBytes } = this.limit;
    const most = this.stream.headersSent ? messageBytes : firstMessageBytes;
    if (this.#meter.longest > most)
      return { reason: "message_size", what: `a message of ${this.#meter.longest} bytes; the most here are ${most}` };
    if (this.#meter.compressed)
      return { reason: "compression", what: "compressed messages are not taken: send them as they are" };
    return null;
  }

  /** Milliseconds since anything came of a request that is still to end; 0: it has ended, or is being answered. */
  silence(now: number): number {
    return this.stream.readableEnded || this.stream.headersSent ? 0 : now - this.#heard;
  }

  late(now: number): { reason: RefusalReason; what: string } | null {
    const { requestMs } = this.limit;
    if (this.pending > 0 && now - this.#messageSince > messageMs)
      return { reason: "slow", what: `a message did not come to its end within ${messageMs / 1000} s` };
    if (requestMs !== null && now - this.#since > requestMs && !this.stream.readableEnded && !this.stream.headersSent)
      return { reason: "slow", what: `the request did not come to its end within ${requestMs / 1000} s` };
    return null;
  }
}
