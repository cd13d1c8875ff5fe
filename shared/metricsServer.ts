import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { collectDefaultMetrics, type Registry } from "prom-client";
import { messageOf } from "./errors.ts";
import { closeServer, httpLimits, listenOn, mostConnections, refuseBadRequests } from "./httpPort.ts";
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
  const server = createServer({ ...httpLimits, keepAliveTimeout: betweenScrapesMs }, (request, response) => {
    answer(options, scrapes, request, response).catch((error: unknown) => send(response, 500, `${messageOf(error)}\n`));
  });
  refuseBadRequests(server, "HTTP", refusals);
  boundConnections(server, refusals);
  return {
    host,
    port: await listenOn(server, "The metrics server", host, port),
    label: (run) => registry.setDefaultLabels({ run, role }),
    close: () => closeServer(server),
  };
}

/** A scraper keeps its connection. */
const betweenScrapesMs = 30_000;
/** To collect all metrics takes a millisecond or two; Prometheus asks every few seconds. */
const scrapeBurst = 100;
const scrapesPerSecond = 20;

/** Where all places are taken, the oldest connection makes room: silent ones must not keep a health check out. */
function boundConnections(server: Server, refusals: PortRefusals): void {
  const open = new Set<Socket>();
  server.prependListener("connection", (socket: Socket) => {
    const [oldest] = open;
    if (open.size >= mostConnections && oldest !== undefined) {
      refusals.count(
        "connections",
        `HTTP: ${oldest.remoteAddress} makes room, ${mostConnections} connections are the most`,
      );
      open.delete(oldest);
      oldest.destroy();
    }
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
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
