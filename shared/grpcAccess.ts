import { createHash, timingSafeEqual } from "node:crypto";
import { type Metadata, ServerInterceptingCall, type ServerInterceptor, status } from "@grpc/grpc-js";
import { type PeerRole, roleOf } from "./identity.ts";
import type { Peer, Peers } from "./peers.ts";
import type { PortRefusals, RefusalReason } from "./portRefusals.ts";

/** Who may call which method, by its short name. A method that is not here may be called by nobody. */
export type Access = Readonly<Record<string, readonly PeerRole[]>>;

export interface AccessOptions {
  readonly access: Access;
  /** Without certificates, operators are known by this token. null: nobody is an operator. */
  readonly operatorToken: string | null;
  /** Who is connected, by certificate; null: plain text, where only operators must show who they are. */
  readonly peers: Peers | null;
  readonly refusals: PortRefusals;
}

interface Refusal {
  readonly code: status;
  readonly reason: RefusalReason;
  readonly details: string;
  /** When it connected, see peers.ts. */
  readonly counted?: true;
}

/** Answers calls that are not allowed before their first message is read, with what is wrong and what to do. */
export function accessControl(options: AccessOptions): ServerInterceptor {
  return (method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            const { remoteAddress, remotePort } = call.getConnectionInfo();
            const from = `${remoteAddress}:${remotePort}`;
            const refusal = refusalOf(options, method.path, metadata, options.peers?.get(from) ?? null);
            if (refusal === null) return pass(metadata);
            if (!refusal.counted)
              options.refusals.count(refusal.reason, `${method.path} from ${from}: ${refusal.details}`);
            const { code, details } = refusal;
            call.sendStatus({ code, details });
          },
        }),
    });
}

function refusalOf(options: AccessOptions, path: string, metadata: Metadata, peer: Peer | null): Refusal | null {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const health = path.startsWith("/grpc.health.v1.Health/");
  const allowed = health ? null : (options.access[name] ?? []);
  if (options.peers === null) {
    if (allowed === null || !(allowed.length === 1 && allowed[0] === "operator")) return null;
    return tokenRefusal(options.operatorToken, metadata, name);
  }
  if (peer === null) return { code: status.UNAUTHENTICATED, reason: "handshake", details: "the connection is gone" };
  if (peer.role === null)
    return { code: status.UNAUTHENTICATED, reason: peer.reason, details: peer.problem, counted: true };
  if (allowed === null || allowed.includes(peer.role)) return null;
  const who = allowed.length === 0 ? "nobody" : allowed.join(" or ");
  const details = `${name} is for role ${who}, and the caller's certificate is of role ${peer.role}`;
  return { code: status.PERMISSION_DENIED, reason: "role", details };
}

function tokenRefusal(token: string | null, metadata: Metadata, name: string): Refusal | null {
  const given = metadata.get("authorization")[0];
  const bearer = typeof given === "string" ? /^Bearer (\S+)$/.exec(given)?.[1] : undefined;
  if (token !== null && bearer !== undefined && sameSecret(bearer, token)) return null;
  const details = `${name} needs the run's control token, and ${bearer === undefined ? "none" : "another one"} was given`;
  return { code: status.UNAUTHENTICATED, reason: "token", details };
}

/** In a time that tells nothing of where they differ, nor of their lengths. */
export function sameSecret(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** The role in the caller's certificate; null: there are no certificates, and it is what it says. */
export function callerRole(call: {
  getAuthContext(): { sslPeerCertificate?: { subjectaltname?: string } } | null;
}): PeerRole | null {
  const certificate = call.getAuthContext()?.sslPeerCertificate;
  return certificate === undefined ? null : roleOf(certificate.subjectaltname);
}
