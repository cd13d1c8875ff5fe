import { createHmac } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { sameSecret } from "../../shared/grpcAccess.ts";
import { TokenBucket } from "../../shared/tokenBucket.ts";
import { isLoopback } from "../../shared/transport.ts";

export interface PageAccessOptions {
  readonly host: string; // where the page listens
  readonly names: readonly string[]; // further names under which it may be asked for
  readonly secure: boolean; // HTTPS
  readonly token: string; // the run's control token
  readonly viewNeedsToken: boolean;
  readonly controllable: boolean;
  readonly runId: string;
}

/** Why a request is not answered as asked. `reason` is a label of `refused_total`. */
export interface PageRefusal {
  readonly status: 401 | 403 | 421 | 429 | 503;
  readonly reason: "token" | "origin" | "rate" | "connections";
  readonly message: string;
}

const sessionSeconds = 12 * 3600;
/** Somebody who mistypes needs a few; 32 random bytes are not guessed at one a second. */
const triesBurst = 5;
const triesPerSecond = 1;

/**
 * Who may see the page and who may change something. Showing the control token once gives two proofs, good for half a day and
 * across restarts: a cookie that lets its holder look, and a text that the page keeps for itself and sends with what changes
 * something. So a cookie that is sent by itself, and may reach other ports of this host, can change nothing.
 */
export class PageAccess {
  readonly #options: PageAccessOptions;
  readonly #tries = new TokenBucket(triesBurst, triesPerSecond);

  constructor(options: PageAccessOptions) {
    this.#options = options;
  }

  get cookieName(): string {
    return `anchorage-view-${this.#options.runId.slice(0, 12).replace(/[^\w-]/g, "")}`;
  }

  /**
   * What a name of somebody else's that points here (DNS rebinding), or a page of somebody else's (CSRF), gives away: a Host
   * that is not ours, an Origin that is not ours. null: neither.
   */
  strangers(request: IncomingMessage, changes: boolean): PageRefusal | null {
    const { host = "", origin } = request.headers;
    if (!this.#isOurs(host))
      return {
        status: 421,
        reason: "origin",
        message: `The page is not asked for as "${host.slice(0, 100)}": use this machine's address, or add the name to pageNames.`,
      };
    const site = request.headers["sec-fetch-site"];
    const scheme = this.#options.secure ? "https" : "http";
    const otherOrigin = origin !== undefined && origin !== `${scheme}://${host}`;
    const otherSite = site !== undefined && site !== "same-origin" && site !== "none";
    const opens = !changes && request.headers["sec-fetch-mode"] === "navigate";
    if (otherOrigin || (otherSite && !opens))
      return { status: 403, reason: "origin", message: "Only the page itself may ask for this." };
    return null;
  }

  #isOurs(header: string): boolean {
    const name = header.replace(/:\d*$/, "").toLowerCase();
    const bare = name.replace(/^\[|\]$/g, "");
    if (this.#options.names.includes(bare)) return true;
    if (isLoopback(this.#options.host)) return isLoopback(bare);
    return isLoopback(bare) || isIP(bare) !== 0 || bare === hostname().toLowerCase();
  }

  /** null: may look. */
  viewer(request: IncomingMessage): PageRefusal | null {
    if (!this.#options.viewNeedsToken) return null;
    const cookies = (request.headers.cookie ?? "").split(/; */);
    const given = cookies.find((cookie) => cookie.startsWith(`${this.cookieName}=`))?.split("=", 2)[1];
    if (given !== undefined && this.#holds("view", given)) return null;
    return this.controller(request) === null ? null : needsToken("To see this page");
  }

  /** null: may change something, by the page's own proof or, as a script may, by the control token itself. */
  controller(request: IncomingMessage): PageRefusal | null {
    const given = /^Bearer (\S{1,500})$/.exec(request.headers.authorization ?? "")?.[1];
    if (given === undefined) return needsToken("For this");
    if (this.#holds("control", given) || sameSecret(given, this.#options.token)) return null;
    return needsToken("That proof is not valid (any more): for this");
  }

  /** The two proofs for whoever shows the token. */
  session(token: string): { readonly cookie: string; readonly control: string } | PageRefusal {
    if (!this.#tries.take()) return { status: 429, reason: "rate", message: "Too many tries: wait some seconds." };
    if (!sameSecret(token, this.#options.token))
      return { status: 401, reason: "token", message: "That is not this run's control token." };
    const until = Math.floor(Date.now() / 1000) + sessionSeconds;
    const flags = `HttpOnly; SameSite=Strict; Path=/; Max-Age=${sessionSeconds}${this.#options.secure ? "; Secure" : ""}`;
    return {
      cookie: `${this.cookieName}=${this.#proof("view", until)}; ${flags}`,
      control: this.#options.controllable ? this.#proof("control", until) : "",
    };
  }

  /** Made from the token, so that a restarted coordinator knows it, and a new token ends it. */
  #proof(right: "view" | "control", until: number): string {
    const text = `anchorage page: ${right} ${this.#options.runId} ${until}`;
    return `${until}.${createHmac("sha256", this.#options.token).update(text).digest("base64url")}`;
  }

  #holds(right: "view" | "control", given: string): boolean {
    const until = Number(/^(\d{1,12})\./.exec(given)?.[1] ?? 0);
    return until * 1000 > Date.now() && sameSecret(given, this.#proof(right, until));
  }
}

function needsToken(what: string): PageRefusal {
  return { status: 401, reason: "token", message: `${what} the run's control token is needed.` };
}
