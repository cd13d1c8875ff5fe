import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type PeerCertificate, type TLSSocket } from "node:tls";
import { type Identity, type PeerRole, roleOf } from "./identity.ts";
import type { PortRefusals } from "./portRefusals.ts";

/** Who is at the other end of a TLS connection, by its certificate. */
export type Peer =
  | { readonly role: PeerRole; readonly problem: null }
  | {
      readonly role: null;
      readonly problem: string;
      readonly reason: "no_certificate" | "expired" | "authority" | "no_role" | "role";
    };

/** By host:port of the other end. */
export type Peers = ReadonlyMap<string, Peer>;

export interface Listener {
  readonly server: Server;
  /** null: plain text. */
  readonly peers: Peers | null;
}

/** How long one that may call nothing may stay to hear why, and how many of them at once; the next are cut at once. */
const toldWithinMs = 3_000;
const mostTold = 32;

/**
 * A listener that hands connections on once it is known who is there. With an identity it speaks TLS 1.3 only and asks for
 * a certificate. One whose certificate does not do is let in to be told why by accessControl, then cut.
 */
export function makeListener(
  identity: Identity | null,
  onConnection: (socket: Socket) => void,
  limits: { readonly maxConnections: number; readonly handshakeMs: number; readonly refusals: PortRefusals },
): Listener {
  if (identity === null) return { server: createServer(onConnection), peers: null };
  const peers = new Map<string, Peer>();
  let told = 0;
  const { ca, cert, key } = identity;
  const { maxConnections, handshakeMs, refusals } = limits;
  const server = createTlsServer({
    ca,
    cert,
    key,
    requestCert: true,
    rejectUnauthorized: false, // peerOf() decides, and the caller hears why
    minVersion: "TLSv1.3",
    ALPNProtocols: ["h2"],
    handshakeTimeout: handshakeMs,
  });
  server.on("tlsClientError", (error, socket) => {
    refusals.count("handshake", `no TLS handshake from ${socket.remoteAddress}: ${error.message}`);
    socket.destroy(); // where the time was up Node only tells: it would stay for ever
  });
  server.maxConnections = 2 * maxConnections; // the guard behind counts those that have shaken hands
  server.on("drop", () => refusals.count("connections", `${server.maxConnections} connections are open already`));
  server.on("secureConnection", (socket) => {
    socket.on("error", () => socket.destroy()); // a reset while nobody listens yet
    const peer = peerOf(socket);
    const from = `${socket.remoteAddress}:${socket.remotePort}`;
    if (peer.role === null) {
      // Here and not when it calls: one that does not like our certificate either never calls.
      refusals.count(peer.reason, `${peer.problem}, from ${from}`);
      if (told >= mostTold) return void socket.destroy();
      told++;
      const cut = setTimeout(() => socket.destroy(), toldWithinMs);
      socket.once("close", () => {
        told--;
        clearTimeout(cut);
      });
    }
    peers.set(from, peer);
    socket.once("close", () => peers.delete(from));
    onConnection(socket);
  });
  return { server, peers };
}

/** Node's names of what OpenSSL found, as a person says it. */
const verdicts: Readonly<Record<string, { reason: "expired" | "authority" | "role"; problem: string }>> = {
  CERT_HAS_EXPIRED: { reason: "expired", problem: "the client's certificate has expired" },
  CERT_NOT_YET_VALID: {
    reason: "expired",
    problem: "the client's certificate is not valid yet (are the clocks right?)",
  },
  INVALID_PURPOSE: {
    reason: "role",
    problem: "the client's certificate is for servers only (its extended key usage), as a coordinator's or NATS's is",
  },
};

function peerOf(socket: TLSSocket): Peer {
  const certificate: Partial<PeerCertificate> = socket.getPeerCertificate();
  if (certificate.raw === undefined)
    return { role: null, reason: "no_certificate", problem: "the client showed no certificate" };
  if (!socket.authorized) {
    const code = String(socket.authorizationError);
    const verdict = verdicts[code] ?? {
      reason: "authority",
      problem: `the client's certificate was not issued by this server's authority (${code})`,
    };
    return { role: null, ...verdict };
  }
  const role = roleOf(certificate.subjectaltname);
  if (role !== null) return { role, problem: null };
  return { role, reason: "no_role", problem: "the client's certificate names no role (anchorage://role/...)" };
}
