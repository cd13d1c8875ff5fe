import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { messageOf, OperatorError } from "../../shared/errors.ts";
import { closeServer, httpLimits, listenOn, mostConnections, refuseBadRequests } from "../../shared/httpPort.ts";
import type { Identity } from "../../shared/identity.ts";
import type { Logger } from "../../shared/log.ts";
import type { PortRefusals } from "../../shared/portRefusals.ts";
import { TokenBucket } from "../../shared/tokenBucket.ts";
import type { Asset } from "./assets.ts";
import type { PageAccess, PageRefusal } from "./pageAccess.ts";

export interface PageServerOptions {
  readonly host: string;
  readonly port: number; // 0: any free port
  readonly identity: Identity | null; // null: plain HTTP
  readonly assets: ReadonlyMap<string, Asset>;
  readonly access: PageAccess;
  readonly routes: PageRoutes;
  readonly refusals: PortRefusals;
  readonly log: Logger;
}

export interface PageRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown; // of a POST: its JSON
  readonly refuse: (refusal: PageRefusal) => void; // counts it, and answers with it
}

/** By path; one that ends with "/" takes all below it. Each answers itself, or throws an OperatorError. */
export interface PageRoutes {
  readonly get: Readonly<Record<string, Route>>;
  /** Change something: only for who has the control token. */
  readonly post: Readonly<Record<string, Route>>;
  /** Like the others, but for everybody. */
  readonly open: Readonly<Record<string, Route>>;
}
export type Route = (asked: PageRequest) => void | Promise<void>;

/** A page asks for twenty files, then for next to nothing. */
const requestBurst = 300;
const requestsPerSecond = 30;
const longestBody = 4 * 1024;

/** Nothing from elsewhere, nothing inline, in nobody's frame. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");
const headers = {
  "content-security-policy": policy,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
};

/** The page's HTTP(S) server. Throws ADDRESS if the address cannot be had. */
export async function startPageServer(
  options: PageServerOptions,
): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
  const { host, port, identity, refusals } = options;
  const bucket = new TokenBucket(requestBurst, requestsPerSecond);
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    answer(options, bucket, request, response).catch((error: unknown) => sendError(options, response, error));
  };
  const server: Server =
    identity === null
      ? createServer(httpLimits, onRequest)
      : createSecureServer({ ...httpLimits, cert: identity.cert, key: identity.key, minVersion: "TLSv1.2" }, onRequest);
  server.maxConnections = mostConnections;
  server.on("drop", () => refusals.count("connections", `page: ${mostConnections} connections are open already`));
  refuseBadRequests(server, "page", refusals);
  return { port: await listenOn(server, "The page", host, port), close: () => closeServer(server) };
}

async function answer(
  options: PageServerOptions,
  bucket: TokenBucket,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (!bucket.take())
    return refuse(options, response, { status: 429, reason: "rate", message: "Too many requests: wait some seconds." });
  const { method = "", url = "/" } = request;
  const changes = method !== "GET" && method !== "HEAD";
  const stranger = options.access.strangers(request, changes);
  if (stranger !== null) return refuse(options, response, stranger);
  const [path = "/", search = ""] = url.split("?", 2);
  const asset = changes ? undefined : options.assets.get(path);
  if (asset !== undefined) return sendAsset(request, response, asset);
  const { open, get, post } = options.routes;
  const known = (routes: Readonly<Record<string, Route>>): Route | undefined =>
    Object.hasOwn(routes, path) ? routes[path] : routes[`${path.slice(0, path.lastIndexOf("/"))}/`];
  const route = known(open) ?? known(changes ? post : get);
  if (route === undefined || (changes && method !== "POST")) {
    options.refusals.count("request", "page: no such path or method");
    response.setHeader("connection", "close"); // a body, however long, is not read
    const wrongMethod = known(open) ?? known(get) ?? known(post) ?? options.assets.get(path);
    return sendProblem(response, wrongMethod === undefined ? 404 : 405, "There is nothing at this address.");
  }
  if (known(open) === undefined) {
    const refusal = changes ? options.access.controller(request) : options.access.viewer(request);
    if (refusal !== null) return refuse(options, response, refusal);
  }
  const body = changes ? await jsonBody(request) : null;
  const query = new URLSearchParams(search);
  await route({ request, response, path, query, body, refuse: (refusal) => refuse(options, response, refusal) });
}

function sendAsset(request: IncomingMessage, response: ServerResponse, { type, bytes, etag }: Asset): void {
  response.setHeader("etag", etag);
  response.setHeader("cache-control", "no-cache"); // asked again each time, so that a new build's is taken
  if (request.headers["if-none-match"] === etag) return void response.writeHead(304).end();
  response.writeHead(200, { "content-type": type, "content-length": bytes.length });
  response.end(request.method === "HEAD" ? undefined : bytes);
}

/** Throws CONFIG for what is no short JSON. */
async function jsonBody(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json\b/.test(request.headers["content-type"] ?? ""))
    throw new OperatorError("CONFIG", "The request's content-type is not application/json.", "Send JSON.");
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > longestBody) throw new OperatorError("CONFIG", `The body is over ${longestBody} bytes.`, "Send less.");
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (cause) {
    throw new OperatorError("CONFIG", "The body is no JSON.", "Send a JSON object.", { cause });
  }
}

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  const text = JSON.stringify(value);
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}

function sendProblem(response: ServerResponse, status: number, problem: string, remedy = ""): void {
  if (response.headersSent) return void response.destroy();
  sendJson(response, { problem, remedy }, status);
}

function refuse({ refusals }: PageServerOptions, response: ServerResponse, refusal: PageRefusal): void {
  const { status, reason, message } = refusal;
  refusals.count(reason, `page: ${message}`);
  response.setHeader("connection", "close"); // what it would send is not read
  sendProblem(response, status, message);
}

const statuses: Partial<Record<string, number>> = { CONFIG: 400, MISMATCH: 409, BUSY: 503, CORRUPT: 500, STORAGE: 507 };

function sendError({ log, refusals }: PageServerOptions, response: ServerResponse, error: unknown): void {
  if (error instanceof OperatorError) {
    if (error.code === "CONFIG") refusals.count("request", `page: ${error.problem}`);
    return sendProblem(response, statuses[error.code] ?? 500, error.problem, error.remedy);
  }
  if (response.destroyed) return; // the browser went: nobody to tell
  log.error({ err: error }, `the page failed to answer ${messageOf(error)}`);
  sendProblem(response, 500, "The coordinator failed to answer: see its log.");
}
