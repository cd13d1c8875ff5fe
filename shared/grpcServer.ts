import {
  logVerbosity,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { messageOf, OperatorError } from "./errors.ts";
import { openWindows } from "./flowControl.ts";
import { serverOptions } from "./grpcOptions.ts";
import type { MethodLimit } from "./guardedCall.ts";
import { guardServer } from "./http2Guard.ts";
import { addressError } from "./metricsServer.ts";
import type { PortRefusals } from "./portRefusals.ts";
import { boundedService, type WireBounds } from "./wireBounds.ts";

// Its errors reach us as such and become clear messages; its own lines beside them only puzzle. GRPC_VERBOSITY brings them back.
if (!process.env.GRPC_VERBOSITY) setLogVerbosity(logVerbosity.NONE);

export interface GrpcServerOptions {
  /** Begins the sentence when the address cannot be had: "The coordinator". */
  readonly what: string;
  readonly listen: string; // host:port; port 0: any free port
  readonly name: string; // full name of the service, for health checks: anchorage.v1.Coordinator
  readonly service: ServiceDefinition;
  readonly handlers: UntypedServiceImplementation;
  readonly guard: ServerGuard;
  /** How long open calls may take to end at close(); then they are cut. */
  readonly drainMs?: number;
}

/** What strangers may cost a server; docs/hostileInput.md. By method name. */
export interface ServerGuard {
  readonly limits: Readonly<Record<string, MethodLimit>>;
  readonly bounds: Readonly<Record<string, WireBounds>>;
  readonly maxConnections: number;
  readonly refusals: PortRefusals;
}

export interface GrpcServer {
  readonly address: string; // host:port, with the real port
  /** From now on health checks say NOT_SERVING. */
  readonly draining: () => void;
  readonly close: () => Promise<void>;
}

/** Serves one service and the standard gRPC health service. Throws CONFIG or ADDRESS if the address cannot be had. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { what, listen, name, service, handlers, guard, drainMs = 2_000 } = options;
  const { host, port } = splitAddress(listen);
  const health = new HealthImplementation({ "": "SERVING", [name]: "SERVING" });
  const server = new Server(serverOptions);
  openWindows(server);
  server.addService(boundedService(service, guard.bounds, guard.refusals), handlers);
  health.addToServer(server);
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(listen, ServerCredentials.createInsecure(), (error, boundPort) => {
      if (error) reject(addressError(what, host, port, withCode(error)));
      else resolve(boundPort);
    });
  });
  guardServer(server, { ...guard, service: name });
  const draining = (): void => {
    for (const each of ["", name]) health.setStatus(each, "NOT_SERVING");
  };
  const close = async (): Promise<void> => {
    draining();
    const timer = setTimeout(() => server.forceShutdown(), drainMs);
    await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    clearTimeout(timer);
  };
  return { address: `${host}:${bound}`, draining, close };
}

/** `host:port`, `[::1]:port`. Throws CONFIG. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  const port = Number(address.slice(colon + 1));
  if (colon < 1 || !/^\d+$/.test(address.slice(colon + 1)) || port > 65535)
    throw new OperatorError("CONFIG", `"${address}" is no host:port.`, "Write for example 127.0.0.1:7400.");
  return { host: address.slice(0, colon), port };
}

/** grpc-js puts the system's error into the text only. */
function withCode(error: Error): NodeJS.ErrnoException {
  const code = /\b(E[A-Z]{3,})\b/.exec(messageOf(error))?.[1];
  return code === undefined ? error : Object.assign(error, { code });
}
