import type { Http2Server, ServerHttp2Session } from "node:http2";
import type { Server } from "@grpc/grpc-js";
import { OperatorError } from "./errors.ts";

/**
 * Bytes on their way that a receiver has not asked for one by one. HTTP/2 begins with 64 KiB, which is all that a link
 * carries per round trip: 0.1 MB/s at 200 ms each way, measured. No more than this, because a keepalive ping waits behind
 * it: one second at 1 MB/s.
 */
export const flowControlWindow = 1024 * 1024;

/** What of grpc-js's server this needs; it has an option for its clients (grpc-node.flow_control_window) and none here. */
interface Internals {
  readonly commonServerOptions: { settings?: object };
  createHttp2Server(credentials: unknown): Http2Server;
}

/** Opens the windows of every connection that `server` will accept; call it before it binds. */
export function openWindows(server: Server): void {
  const internals = server as unknown as Internals;
  if (typeof internals.createHttp2Server !== "function" || typeof internals.commonServerOptions !== "object")
    throw new OperatorError("SETUP", "This version of @grpc/grpc-js is unknown.", "Run: npm run setup.");
  const { commonServerOptions } = internals;
  commonServerOptions.settings = { ...commonServerOptions.settings, initialWindowSize: flowControlWindow }; // of a stream
  const create = internals.createHttp2Server.bind(server);
  internals.createHttp2Server = (credentials) => {
    const http2Server = create(credentials);
    // of a connection: all streams together
    http2Server.on("session", (session: ServerHttp2Session) => session.setLocalWindowSize(flowControlWindow));
    return http2Server;
  };
}
