import type { Http2Session, ServerHttp2Stream } from "node:http2";
import { constants } from "node:http2";
import type { Socket } from "node:net";
import { TokenBucket } from "./tokenBucket.ts";

/** A process of ours makes a few calls a second. */
const callBurst = 1_000;
export const callsPerSecond = 200;
/** Ours take a call back when they end. nghttp2 itself ends bursts of 1000, and counts nothing. */
const resetBurst = 300;
export const resetsPerSecond = 20;
/** Of what is no call's data, beside the limit: framing and TLS. */
const overheadShare = 0.02;

/** One connection to a guarded port, and what it has used up. */
export class GuardedConnection {
  readonly socket: Socket;
  readonly peer: string; // address:port
  readonly since = performance.now();
  readonly #calls = new TokenBucket(callBurst, callsPerSecond);
  readonly #resets = new TokenBucket(resetBurst, resetsPerSecond);
  session: Http2Session | null = null;
  greeted = false;
  open = 0; // calls
  data = 0; // bytes of calls' bodies
  #seen = { at: this.since, read: 0, data: 0 };

  constructor(socket: Socket) {
    this.socket = socket;
    this.peer = peerOf(socket);
  }

  /** false: one call too many. */
  takeCall(): boolean {
    return this.#calls.take();
  }

  /** A call is over. False: it was taken back by its peer, and that was one too many. */
  ended({ rstCode }: ServerHttp2Stream): boolean {
    const byPeer = rstCode !== constants.NGHTTP2_NO_ERROR && rstCode !== constants.NGHTTP2_ENHANCE_YOUR_CALM; // the latter is ours
    return !byPeer || this.#resets.take();
  }

  /** Bytes a second since the last look that were no call's data: headers, pings, settings, window updates. */
  overhead(now: number): number {
    const { read, data } = this.#seen;
    const spent = this.socket.bytesRead - read - (this.data - data) * (1 + overheadShare);
    const ms = Math.max(1, now - this.#seen.at);
    this.#seen = { at: now, read: this.socket.bytesRead, data: this.data };
    return (spent * 1000) / ms;
  }
}

export function peerOf(socket: { remoteAddress?: string | undefined; remotePort?: number | undefined }): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}
