import type { ServerResponse } from "node:http";

/** How long a reader may leave what was sent to it unread; then it is cut, and may come again. */
const unreadMs = 15_000;
/** How long the end of a stream may take to be sent: a coordinator that ends does not wait for a browser that is gone. */
const endMs = 1_000;

/**
 * One viewer's server-sent events. Nothing is queued for a slow one: while `ready` is false the sender leaves things out
 * and tells it the newest state later; one that stays slow is cut.
 */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #cutAfterMs: number;
  #blocked: NodeJS.Timeout | null = null;
  #open = true;
  dropped = false;

  /** `onReady`: it has read what was sent, and there is room again. */
  constructor(response: ServerResponse, onReady: () => void, onClosed: () => void, cutAfterMs = unreadMs) {
    this.#response = response;
    this.#cutAfterMs = cutAfterMs;
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    response.on("drain", () => {
      this.#unblock();
      onReady();
    });
    response.on("close", () => {
      this.#open = false;
      this.#unblock();
      onClosed();
    });
    response.on("error", () => response.destroy()); // `close` follows
    response.write("retry: 1000\n\n");
  }

  get ready(): boolean {
    return this.#open && this.#blocked === null;
  }

  /** `json` in one line. `id` is what the browser gives back as Last-Event-ID when it reconnects. */
  send(event: string, json: string, id?: string): void {
    if (!this.#open) return;
    const text = `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${json}\n\n`;
    if (this.#response.write(text) || this.#blocked !== null) return;
    this.#blocked = setTimeout(() => {
      this.dropped = true;
      this.#response.destroy();
    }, this.#cutAfterMs);
    this.#blocked.unref();
  }

  /** Resolves when what was sent has left this process, at the latest after a second. */
  async close(): Promise<void> {
    const response = this.#response;
    if (response.closed) return;
    const slow = setTimeout(() => response.destroy(), endMs);
    await new Promise<void>((resolve) => {
      response.once("close", () => resolve());
      response.end();
    });
    clearTimeout(slow);
  }

  #unblock(): void {
    if (this.#blocked !== null) clearTimeout(this.#blocked);
    this.#blocked = null;
  }
}
