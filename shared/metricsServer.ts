import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { collectDefaultMetrics, type Registry } from "prom-client";
import { messageOf, OperatorError } from "./errors.ts";

import type { PortRefusals } from "./portRefusals.ts";
import { TokenBucket } from "./tokenBucket.ts";

export interface MetricsServerOptions {
  readonly host: string;
  readonly port: number; // 0: any free port
  readonly registry: Registry;
  /** The label `role` of every series. */
  readonly role: "coordinator" | "learner" | "actor";
  /** The label `run` of every series; undefined: not known yet, see `label`. */
  readonly runId?: string;
  /** null: ready for work; else why not, as one line. */
  readonly ready: () => string | null;
  readonly refusals: PortRefusals;
}

export interface MetricsServer {
  readonly host: string;
  readonly port: number;
  /** From here on every series has the label `run`: learner and actors know it only once the coordinator has told them. */
  readonly label: (runId: string) => void;
  readonly close: () => Promise<void>;
}

/**
 * Serves GET /metrics (Prometheus text), /healthz (200 while the event loop turns) and /readyz (200, or 503 with the
 * reason); adds Node's default process metrics to the registry, and to every series the role. Throws ADDRESS if the address cannot be had.
 */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const { host, port, registry, role, runId, refusals } = options;
  registry.setDefaultLabels(runId === undefined ? { role } : { run: runId, role });
  collectDefaultMetrics({ register: registry });
  const scrapes = new TokenBucket(scrapeBurst, scrapesPerSecond);
  const server = createServer(timeouts, (request, response) => {
    answer(options, scrapes, request, response).catch((error: unknown) => send(response, 500, `${messageOf(error)}\n`));
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    refusals.count(error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? "slow" : "request", `HTTP: ${error.message}`);
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    else socket.destroy();
  });
  boundConnections(server, refusals);
  await listen(server, host, port);
  return {
    host,
    port: (server.address() as AddressInfo).port,
    label: (run) => registry.setDefaultLabels({ run, role }),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Node looks for late requests only every 30 s unless told otherwise. */
const timeouts = {
  requestTimeout: 10_000,
  headersTimeout: 5_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 8 * 1024,
};
/** A scraper needs one or two. */
const maxConnections = 64;
/** To collect all metrics takes a millisecond or two; Prometheus asks every few seconds. */
const scrapeBurst = 100;
const scrapesPerSecond = 20;

/** Where all places are taken, the oldest connection makes room: silent ones must not keep a health check out. */
function boundConnections(server: Server, refusals: PortRefusals): void {
  const open = new Set<Socket>();
  server.prependListener("connection", (socket: Socket) => {
    const [oldest] = open;
    if (open.size >= maxConnections && oldest !== undefined) {
      refusals.count(
        "connections",
        `HTTP: ${oldest.remoteAddress} makes room, ${maxConnections} connections are the most`,
      );
      open.delete(oldest);
      oldest.destroy();
    }
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(addressError("The metrics server", host, port, cause)),
    );
    server.listen(port, host, resolve);
  });
}

/** ADDRESS error for an address that cannot be listened on; `what` begins the sentence. */
export function addressError(what: string, host: string, port: number, cause: NodeJS.ErrnoException): OperatorError {
  const why =
    cause.code === "EADDRINUSE"
      ? "another process uses it"
      : cause.code === "EADDRNOTAVAIL" || cause.code === "ENOTFOUND"
        ? "this machine does not have that address"
        : cause.message;
  const remedy = "Choose another address in the deploy config (port 0: any free port), or stop what uses it.";
  return new OperatorError("ADDRESS", `${what} cannot listen on ${host}:${port}: ${why}.`, remedy, { cause });
}

async function answer(
  options: MetricsServerOptions,
  scrapes: TokenBucket,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    options.refusals.count("request", `HTTP: ${request.method}`);
    response.setHeader("connection", "close"); // its body, however long, is not read
    return send(response, 405, "Only GET is served.\n");
  }
  const path = (request.url ?? "/").split("?", 1)[0];
  if (path === "/metrics" && !scrapes.take()) {
    options.refusals.count("rate", `HTTP: over ${scrapesPerSecond} requests a second for /metrics`);
    return send(response, 429, `At most ${scrapesPerSecond} requests a second.\n`);
  }
  if (path === "/metrics") return send(response, 200, await options.registry.metrics(), options.registry.contentType);
  if (path === "/healthz") return send(response, 200, "ok\n");
  if (path === "/readyz") {
    const reason = options.ready();
    return reason === null ? send(response, 200, "ready\n") : send(response, 503, `not ready: ${reason}\n`);
  }
  options.refusals.count("request", "HTTP: no such path");
  send(response, 404, "Served: /metrics /healthz /readyz\n");
}

function send(response: ServerResponse, status: number, body: string, type = "text/plain; charset=utf-8"): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(response.req.method === "HEAD" ? undefined : body);
}
