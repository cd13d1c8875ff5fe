import {
  constants,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { endCall, GuardedCall, type MethodLimit } from "./guardedCall.ts";
import { callsPerSecond, GuardedConnection, peerOf, resetsPerSecond } from "./guardedConnection.ts";
import { type PortRefusals, quoted, type RefusalReason } from "./portRefusals.ts";
import { TokenBucket } from "./tokenBucket.ts";

/** What peers may take of one server. */
export interface GuardBounds {
  readonly maxConnections: number;
  /** New ones at once; beyond that 200 a second. */
  readonly connectionBurst?: number;
  /** Of messages that are not whole yet. */
  readonly pendingBytes?: number;
  /** Each of a peer's greetings (TLS where there is any, then HTTP/2's settings) must have come by then. */
  readonly handshakeMs?: number;
}

export interface GuardOptions extends GuardBounds {
  /** By path, /package.Service/Method; for others grpc-js answers that they are not implemented. */
  readonly methods: ReadonlyMap<string, MethodLimit>;
  readonly refusals: PortRefusals;
}

/** Ours greet as soon as they are connected; TLS over a slow link takes a second. */
export const defaultHandshakeMs = 10_000;
/** Of a fleet's rollouts a few MB each are on the way at once. */
const defaultPendingBytes = 512 * 1024 * 1024;
/** A whole fleet that comes back after a restart, but no flood. */
const defaultConnectionBurst = 1_000;
const connectionsPerSecond = 200;
/**
 * Bytes a second that are no call's data (headers, pings, settings, window updates, priorities), beside a share of the
 * data for framing and TLS. Ours send some hundred; 256 KiB are 15 000 pings.
 */
const overheadPerSecond = 256 * 1024;
const sweepMs = 1_000;
/** A request that sends nothing for so long gives its place up where others wait for one. */
const silenceMs = 2_000;

/**
 * Stands between the network and grpc-js, which has limits for whole messages and for the streams of one connection;
 * those for connections, unfinished messages, floods and silence are here. What is refused is counted by reason; a call
 * gets a gRPC status that says why.
 */
export class Http2Guard {
  readonly #options: GuardOptions;
  readonly #connections = new Map<string, GuardedConnection>(); // by peer
  readonly #sessions = new WeakMap<Http2Session, GuardedConnection>();
  readonly #greeted = new WeakSet<Http2Session>(); // also those whose connection is gone
  readonly #idle = new Set<GuardedConnection>(); // no call open, longest so first: they make room for new ones
  readonly #calls = new Set<GuardedCall>();
  readonly #perMethod = new Map<string, number>();
  readonly #accepts: TokenBucket;
  #pending = 0;

  /** `server`: grpc-js has set its handlers up already. */
  constructor(server: Http2Server, options: GuardOptions) {
    this.#options = options;
    this.#accepts = new TokenBucket(options.connectionBurst ?? defaultConnectionBurst, connectionsPerSecond);
    gate<[Socket]>(server, "connection", (handlers, socket) => this.#connected(socket) && handlers());
    gate<[ServerHttp2Stream, IncomingHttpHeaders]>(server, "stream", (handlers, stream, headers) =>
      this.#called(handlers, stream, headers),
    );
    server.prependListener("session", (session) => this.#greeting(session));
    server.on("sessionError", (error: Error, session) => {
      const connection = this.#sessions.get(session);
      // Go's gRPC leaves with a GOAWAY that Node takes for a fault, the kubelet's probes every few seconds
      if (connection === undefined && this.#greeted.has(session)) return;
      this.#refuse("handshake", connection?.peer ?? "a peer", error.message);
    });
    server.on("tlsClientError" as "error", (error: Error) => this.#refuse("handshake", "TLS", error.message));
    const timer = setInterval(() => this.#sweep(performance.now()), sweepMs).unref();
    server.once("close", () => clearInterval(timer));
  }

  get connections(): number {
    return this.#connections.size;
  }

  #refuse(reason: RefusalReason, peer: string, what: string): void {
    this.#options.refusals.count(reason, `${peer}: ${what}`);
  }

  /** false: not let in. Where all places are taken, the connection that has been idle longest makes room. */
  #connected(socket: Socket): boolean {
    const peer = peerOf(socket);
    const turnAway = (reason: RefusalReason, what: string): false => {
      this.#refuse(reason, peer, what);
      socket.destroy();
      return false;
    };
    const { maxConnections } = this.#options;
    if (!this.#accepts.take()) return turnAway("connection_rate", `over ${connectionsPerSecond} connections a second`);
    if (this.#connections.size >= maxConnections) {
      const [idlest] = this.#idle;
      if (idlest === undefined) return turnAway("connections", `${maxConnections} connections are at work already`);
      this.#drop(idlest, "connections", `idle, and ${maxConnections} connections are the most`);
    }
    const connection = new GuardedConnection(socket);
    this.#connections.set(peer, connection);
    this.#idle.add(connection);
    socket.once("close", () => this.#forget(connection));
    return true;
  }

  #greeting(session: Http2Session): void {
    const connection = this.#connections.get(peerOf(session.socket));
    if (connection === undefined) return; // dropped a moment ago
    connection.session = session;
    this.#sessions.set(session, connection);
    session.once("remoteSettings", () => {
      connection.greeted = true;
      this.#greeted.add(session);
    });
  }

  #forget(connection: GuardedConnection): void {
    if (this.#connections.get(connection.peer) === connection) this.#connections.delete(connection.peer);
    this.#idle.delete(connection);
    if (connection.session !== null) this.#sessions.delete(connection.session);
  }

  #drop(connection: GuardedConnection, reason: RefusalReason, what: string): void {
    this.#refuse(reason, connection.peer, what);
    this.#forget(connection);
    const { session, socket } = connection;
    // In a moment: this may run while the session reads, and Node aborts where one is destroyed then (nodejs/node#64850).
    setImmediate(() => {
      if (session?.destroyed === false) session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
      socket.destroy();
    });
  }

  #called(handlers: () => void, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on("error", () => undefined); // unheard it would end the process, and what a peer does to its call does not matter
    const connection = stream.session && this.#sessions.get(stream.session);
    if (!connection) return stream.close(constants.NGHTTP2_REFUSED_STREAM); // dropped a moment ago
    if (!connection.takeCall()) return this.#drop(connection, "flood", `over ${callsPerSecond} calls a second`);
    stream.once("close", () => {
      if (!connection.ended(stream) && this.#connections.get(connection.peer) === connection)
        this.#drop(connection, "flood", `over ${resetsPerSecond} calls a second were taken back`);
    });
    const path = String(headers[":path"] ?? "");
    const limit = this.#options.methods.get(path);
    if (limit === undefined) {
      this.#refuse("unknown_method", connection.peer, path);
      return handlers(); // grpc-js answers it: 415 or UNIMPLEMENTED
    }
    const encoding = String(headers["grpc-encoding"] ?? "identity");
    const refusal = this.#tooMany(path, limit) ?? (encoding === "identity" ? null : compression(encoding));
    if (refusal === null) return this.#follow(connection, new GuardedCall(stream, path, limit), handlers);
    this.#refuse(refusal.reason, `${connection.peer} ${path}`, refusal.what);
    endCall(stream, refusal.what);
  }

  #tooMany(path: string, limit: MethodLimit): { reason: RefusalReason; what: string } | null {
    const open = this.#perMethod.get(path) ?? 0;
    if (open < limit.calls || this.#endSilent(path)) return null;
    return { reason: "calls", what: `${open} such calls are open already; try again` };
  }

  /** Half-sent requests must not keep the learner's out: the one that has been silent longest makes room. */
  #endSilent(path: string): boolean {
    const now = performance.now();
    let silent: GuardedCall | null = null;
    for (const call of this.#calls)
      if (call.path === path && call.silence(now) > (silent?.silence(now) ?? silenceMs)) silent = call;
    if (silent !== null) this.#end(silent, { reason: "slow", what: "a silent request makes room for another" });
    return silent !== null;
  }

  #follow(connection: GuardedConnection, call: GuardedCall, handlers: () => void): void {
    const { stream, path } = call;
    const open = (by: number): void => {
      connection.open += by;
      this.#perMethod.set(path, (this.#perMethod.get(path) ?? 0) + by);
      this.#idle.delete(connection);
      if (connection.open === 0 && this.#connections.get(connection.peer) === connection) this.#idle.add(connection);
    };
    open(+1);
    this.#calls.add(call);
    const { pendingBytes: most = defaultPendingBytes } = this.#options;
    let pending = 0;
    const account = (now: number): void => {
      this.#pending += now - pending;
      pending = now;
    };
    stream.once("close", () => {
      open(-1);
      this.#calls.delete(call);
      account(0);
    });
    handlers();
    // In front of grpc-js's own, which keeps what comes until the message is whole.
    stream.prependListener("data", (chunk: Buffer) => {
      if (stream.closed) return;
      connection.data += chunk.length;
      const refusal = call.receive(chunk);
      account(call.pending);
      if (refusal !== null) this.#end(call, refusal);
      else if (this.#pending > most)
        this.#end(call, { reason: "memory", what: `unfinished messages take ${most} bytes; try again` });
    });
  }

  #end(call: GuardedCall, { reason, what }: { reason: RefusalReason; what: string }): void {
    const { session } = call.stream;
    const peer = (session && this.#sessions.get(session)?.peer) ?? "a peer";
    this.#refuse(reason, `${peer} ${call.path}`, what);
    endCall(call.stream, what);
  }

  #sweep(now: number): void {
    const { handshakeMs = defaultHandshakeMs } = this.#options;
    for (const call of this.#calls) {
      const refusal = call.late(now);
      if (refusal !== null) this.#end(call, refusal);
    }
    for (const connection of [...this.#connections.values()]) {
      if (!connection.greeted && now - connection.since > handshakeMs)
        this.#drop(connection, "handshake", `no HTTP/2 greeting within ${handshakeMs} ms`);
      else if (connection.overhead(now) > overheadPerSecond)
        this.#drop(connection, "flood", `over ${overheadPerSecond} bytes a second of HTTP/2 frames without data`);
    }
  }
}

const compression = (encoding: string): { reason: RefusalReason; what: string } => ({
  reason: "compression",
  what: `grpc-encoding ${quoted(encoding, 40)} is not taken: send messages as they are`,
});

/** Puts `admit` before the handlers that an event has; they run when it calls them. */
function gate<Given extends unknown[]>(
  server: Http2Server,
  event: string,
  admit: (handlers: () => void, ...given: Given) => unknown,
): void {
  const handlers = server.listeners(event);
  if (handlers.length === 0) throw new Error(`grpc-js sets no handler for "${event}" up: its version does not fit`);
  server.removeAllListeners(event);
  server.on(event, (...given: unknown[]) => {
    admit(
      () => {
        for (const handler of handlers) Reflect.apply(handler, server, given);
      },
      ...(given as Given),
    );
  });
}

const healthLimit: MethodLimit = { messageBytes: 1024, calls: 64, requestMs: 10_000 };

/**
 * Guards every port of a gRPC server: `limits` by method name of `service`, and the health service's. grpc-js has no way
 * to its HTTP/2 servers, so its own table of them is used (pinned version; a change of it is an error at start).
 */
export function guardServer(
  server: object,
  options: Omit<GuardOptions, "methods"> & {
    readonly service: string;
    readonly limits: Readonly<Record<string, MethodLimit>>;
  },
): void {
  const { http2Servers } = server as { http2Servers?: unknown };
  if (!(http2Servers instanceof Map) || http2Servers.size === 0)
    throw new Error("grpc-js keeps its HTTP/2 servers elsewhere: its version does not fit");
  const methods = new Map(
    Object.entries(options.limits).map(([name, limit]) => [`/${options.service}/${name}`, limit]),
  );
  for (const name of ["Check", "Watch"]) methods.set(`/grpc.health.v1.Health/${name}`, healthLimit);
  for (const http2Server of http2Servers.keys()) new Http2Guard(http2Server as Http2Server, { ...options, methods });
}
