import type { PageCurves, PageLog, PageRun, PageStatus } from "../shared/pageEvents.ts";

export interface Events {
  readonly run: PageRun;
  readonly history: PageCurves;
  readonly updates: PageCurves;
  readonly status: PageStatus;
  readonly log: PageLog;
}
const names = ["run", "history", "updates", "status", "log"] as const;

type Listeners = { readonly [Name in keyof Events]: (event: Events[Name]) => void };

const longestPauseMs = 15_000;

/**
 * The stream of GET /api/events. A browser takes it up again by itself where it broke off, with the id of the last event;
 * where it gives up (it was refused, or a proxy answered), this tries again, with growing pauses.
 */
export class Connection {
  readonly #listeners: Listeners;
  readonly #onChange: (connected: boolean) => void;
  #source: EventSource | null = null;
  #last = "";
  #pauseMs = 1000;

  constructor(listeners: Listeners, onChange: (connected: boolean) => void) {
    this.#listeners = listeners;
    this.#onChange = onChange;
  }

  open(): void {
    this.#source?.close();
    const source = new EventSource(this.#last === "" ? "/api/events" : `/api/events?after=${this.#last}`);
    this.#source = source;
    source.onopen = () => {
      this.#pauseMs = 1000;
      this.#onChange(true);
    };
    source.onerror = () => {
      this.#onChange(false);
      if (source.readyState === EventSource.CLOSED && this.#source === source) this.#later();
    };
    for (const name of names) this.#listen(source, name);
  }

  /** Everything anew, where the page has gathered more than it needs. */
  refresh(): void {
    this.#last = "";
    this.open();
  }

  #listen<Name extends keyof Events>(source: EventSource, name: Name): void {
    source.addEventListener(name, (event: MessageEvent<string>) => {
      if (event.lastEventId !== "") this.#last = event.lastEventId;
      this.#listeners[name](JSON.parse(event.data) as Events[Name]);
    });
  }

  #later(): void {
    setTimeout(() => this.open(), this.#pauseMs);
    this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2);
  }
}

/** An answer that is no success, with the coordinator's words. */
export class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const proofName = "anchorage-control";
/** What shows that this page may change something. Kept until the tab is closed, for this address only. */
export const proof = {
  get: (): string => sessionStorage.getItem(proofName) ?? "",
  set: (value: string): void => sessionStorage.setItem(proofName, value),
  forget: (): void => sessionStorage.removeItem(proofName),
};

/** GET, or with a body POST. Rejects with Refused, or as fetch does where nobody answers. */
export async function ask<T>(path: string, body?: object): Promise<T> {
  const headers: Record<string, string> = {};
  if (proof.get() !== "") headers.authorization = `Bearer ${proof.get()}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const options = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  const response = await fetch(path, options);
  const answer: unknown = await response.json();
  if (response.ok) return answer as T;
  const { problem = "", remedy = "" } = answer as { problem?: string; remedy?: string };
  throw new Refused(response.status, `${problem} ${remedy}`.trim());
}
