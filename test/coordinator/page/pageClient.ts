import { spawn } from "node:child_process";
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";
import { request as secureRequest } from "node:https";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { controlToken } from "../../../coordinator/controlToken.ts";
import type { Launch } from "../../../coordinator/page/page.ts";
import { type Given, type Running, startCoordinator, temporaryFolder } from "../runningCoordinator.ts";

export const player: Launch = (args) =>
  spawn(process.execPath, [join(import.meta.dirname, "fixtures", "player.mjs"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });

export interface Served extends Running {
  readonly runDir: string;
  readonly token: string;
}

/** A real coordinator with its page. */
export async function servePage(given: Partial<Given> = {}): Promise<Served> {
  const runDir = given.runDir ?? (await temporaryFolder());
  const running = await startCoordinator({
    ...given,
    runDir,
    deploy: { page: "on", ...given.deploy },
    options: { launch: player, ...given.options },
  });
  return { ...running, runDir, token: controlToken(runDir, null) };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

interface Asking {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
  readonly ca?: string; // of HTTPS: whom to trust
}

/** Asks as no browser could: with any Host, Origin and body. */
export function ask(url: string, options: Asking = {}) {
  return new Promise<Answer>((resolve, reject) => {
    const { method = options.body === undefined ? "GET" : "POST", headers = {}, body, ca } = options;
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const by = url.startsWith("https:") ? secureRequest : request;
    const asked = by(url, { method, headers: { ...type, ...headers }, ...(ca && { ca }) }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (data) => (text += data));
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

export interface Event {
  readonly name: string;
  readonly id: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it looks at
  readonly data: any;
}

/** An open stream of server-sent events; ends with the test. */
export class EventReader {
  readonly status: Promise<number>;
  readonly closed: Promise<void>;
  readonly events: Event[] = [];
  readonly #asked: ReturnType<typeof request>;
  readonly #waiting: { wanted: (event: Event) => boolean; resolve: (event: Event) => void }[] = [];

  constructor(url: string, headers: OutgoingHttpHeaders = {}) {
    let rest = "";
    this.#asked = request(url, { headers });
    this.#asked.end();
    this.#asked.on("error", () => undefined); // closed by us, or by a coordinator that goes: `closed` says so
    this.closed = new Promise((resolve) => this.#asked.on("close", () => resolve()));
    this.status = new Promise((resolve) => {
      this.#asked.on("response", (response) => {
        resolve(response.statusCode!);
        response.setEncoding("utf8");
        response.on("data", (data: string) => {
          const parts = (rest + data).split("\n\n");
          rest = parts.pop()!;
          for (const part of parts) this.#take(part);
        });
        response.on("error", () => undefined);
      });
    });
    onTestFinished(() => this.close());
  }

  /** The first event, past or to come, that is wanted. */
  event(wanted: (event: Event) => boolean): Promise<Event> {
    const past = this.events.find(wanted);
    if (past !== undefined) return Promise.resolve(past);
    return new Promise((resolve) => this.#waiting.push({ wanted, resolve }));
  }

  named(name: string): Promise<Event> {
    return this.event((event) => event.name === name);
  }

  close(): void {
    this.#asked.destroy();
  }

  #take(part: string): void {
    const field = (name: string): string | null => new RegExp(`^${name}: (.*)$`, "m").exec(part)?.[1] ?? null;
    const name = field("event");
    if (name === null) return; // retry
    const event = { name, id: field("id"), data: JSON.parse(field("data")!) };
    this.events.push(event);
    for (const waiter of this.#waiting.filter(({ wanted }) => wanted(event))) {
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
      waiter.resolve(event);
    }
  }
}
