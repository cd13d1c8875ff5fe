import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { OperatorError } from "./errors.ts";
import type { PortRefusals, RefusalReason } from "./portRefusals.ts";

/** How long an HTTP port bears with a peer, milliseconds. Node looks for late requests only every 30 s unless told otherwise. */
export const httpLimits = {
  requestTimeout: 10_000,
  handshakeTimeout: 5_000, // TLS, where there is any
  headersTimeout: 5_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 8 * 1024,
};
/** A browser opens six, a scraper one or two. */
export const mostConnections = 64;

/** Requests that are no HTTP or do not end are counted and their connections closed; `what` begins the line in the log. */
export function refuseBadRequests(server: Server, what: string, refusals: PortRefusals): void {
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const reason = reasonOf(error.code ?? "");
    refusals.count(reason, `${what}: ${error.message}`);
    // without TLS there is nobody to tell, and Node itself cuts none that only waits
    if (socket.writable && reason !== "handshake") socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    else socket.destroy();
  });
}

function reasonOf(code: string): RefusalReason {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return "slow";
  return /^ERR_(TLS|SSL)_/.test(code) ? "handshake" : "request";
}

/** Resolves with the port. Throws ADDRESS if the address cannot be had; `what` begins the sentence. */
export async function listenOn(server: Server, what: string, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(addressError(what, host, port, cause)));
    server.listen(port, host.replace(/^\[|\]$/g, ""), resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** At once, whatever is still being asked. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
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
