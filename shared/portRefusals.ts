import { Counter, type Registry } from "prom-client";
import type { Logger } from "./log.ts";

/** Why something that came over a port was turned away. A metric label: never a text of the peer's. */
export type RefusalReason =
  | "connections" // more at once than allowed
  | "connection_rate" // opened faster than allowed
  | "handshake" // no HTTP/2 or TLS greeting in time, or a broken one
  | "flood" // control frames or calls faster than any peer of ours sends them
  | "calls" // more calls of one kind at once than allowed
  | "unknown_method"
  | "compression" // no peer of ours compresses, and a small message can become a large one
  | "message_size"
  | "memory" // all half-received messages together
  | "slow" // a message, a request or a hello that does not come to its end
  | "malformed" // no protobuf, or one with absurdly many elements
  | "protocol" // well-formed, but not what may come next
  | "no_credit" // answers to leases that were never given
  | "request" // HTTP: not a request, none that is served, or one whose body says nothing
  | "rate" // HTTP: /metrics or the page asked for too often
  | "origin" // the page asked for by another site, or under a name that is not this host's
  | "members" // registrations beyond the most
  | "field" // a field that is too long or impossible
  | "no_certificate" // TLS without one
  | "expired" // a certificate that is not valid any more, or not yet
  | "authority" // a certificate that our authority did not issue
  | "no_role" // a certificate of ours that says no role
  | "role" // a certificate whose role may not do this
  | "token" // no control token, or a wrong one
  | "policy_chunk"; // NATS: no chunk of a policy, or of one that its digest denies

export interface PortRefusals {
  /** Counts one, and says so in the log, at most once every 10 s for each reason. `what` may quote the peer: it is shortened and made printable. */
  count(reason: RefusalReason, what: string): void;
}

const quietMs = 10_000;
const longestQuote = 300;

/** What a stranger sent, fit for a log line or an answer: printable and short. */
export function quoted(text: string, longest = longestQuote): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal
  const printable = text.slice(0, longest).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "?");
  return text.length > longest ? `${printable}... (${text.length} characters)` : printable;
}

/** `anchorage_<process>_refused_total` and its log lines: a flood fills neither memory nor disk. */
export function portRefusals(registry: Registry, process: string, log: Logger): PortRefusals {
  const counter = new Counter({
    name: `anchorage_${process}_refused_total`,
    help: "What came over a port and was turned away, by reason: see docs/hostileInput.md. Above 0: a broken or hostile peer.",
    labelNames: ["reason"],
    registers: [registry],
  });
  const quiet = new Map<RefusalReason, { since: number; left: number }>();
  return {
    count: (reason, what) => {
      counter.inc({ reason });
      const now = performance.now();
      const last = quiet.get(reason);
      if (last !== undefined && now - last.since < quietMs) return void last.left++;
      const more = last !== undefined && last.left > 0 ? ` (and ${last.left} more since the last such line)` : "";
      quiet.set(reason, { since: now, left: 0 });
      log.warn(`refused, ${reason}: ${quoted(what)}${more}`);
    },
  };
}
