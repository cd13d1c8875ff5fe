import type { AddressInfo, Server as NetServer } from "node:net";
import {
  logVerbosity,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { OperatorError } from "./errors.ts";
import { openWindows } from "./flowControl.ts";
import { type Access, accessControl } from "./grpcAccess.ts";
import { serverOptions } from "./grpcOptions.ts";
import type { MethodLimit } from "./guardedCall.ts";
import { defaultHandshakeMs, type GuardBounds, guardServer } from "./http2Guard.ts";
import { addressError } from "./httpPort.ts";
import { makeListener } from "./peers.ts";
import type { PortRefusals } from "./portRefusals.ts";
import type { Transport } from "./transport.ts";
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
  readonly transport: Transport;
  /** The setting that `listen` comes from, for messages: "coordinatorListen". */
  readonly setting: string;
  readonly access: Access;
  /** How operators are known where there are no certificates; default: they are not. */
  readonly operatorToken?: string;
  /** How long open calls may take to end at close(); then they are cut. */
  readonly drainMs?: number;
}

/** What strangers may cost a server; docs/hostileInput.md. By method name. */
export interface ServerGuard extends GuardBounds {
  readonly limits: Readonly<Record<string, MethodLimit>>;
  readonly bounds: Readonly<Record<string, WireBounds>>;
  readonly refusals: PortRefusals;
}

export interface GrpcServer {
  readonly address: string; // host:port, with the real port
  /** From now on health checks say NOT_SERVING. */
  readonly draining: () => void;
  readonly close: () => Promise<void>;
}

/**
 * Serves one service and the standard gRPC health service, to those who may call it. Throws CONFIG where plain text would
 * leave this machine or the address is none, ADDRESS if it cannot be had.
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { what, listen, name, service, handlers, guard, transport, access, drainMs = 2_000 } = options;
  const { host, port } = splitAddress(listen);
  transport.check(options.setting, listen);
  const { refusals, maxConnections, handshakeMs = defaultHandshakeMs } = guard;
  const limits = { maxConnections, handshakeMs, refusals };
  const listener = makeListener(transport.identity, (socket) => injector.injectConnection(socket), limits);
  const operatorToken = options.operatorToken ?? null;
  const control = accessControl({ access, operatorToken, peers: listener.peers, refusals });
  const server = new Server({ ...serverOptions, interceptors: [control] });
  openWindows(server);
  // The listener has done TLS already, where there is any.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  guardServer(server, { ...guard, service: name });
  const health = new HealthImplementation({ "": "SERVING", [name]: "SERVING" });
  server.addService(boundedService(service, guard.bounds, refusals), handlers);
  health.addToServer(server);
  const bound = await bind(listener.server, what, host, port);
  const draining = (): void => {
    for (const each of ["", name]) health.setStatus(each, "NOT_SERVING");
  };
  const close = async (): Promise<void> => {
    draining();
    listener.server.close();
    const timer = setTimeout(() => server.forceShutdown(), drainMs);
    await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    clearTimeout(timer);
  };
  return { address: `${host}:${bound}`, draining, close };
}

function bind(listener: NetServer, what: string, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    listener.once("error", (cause) => reject(addressError(what, host, port, cause)));
    listener.listen(port, host.replace(/^\[|\]$/g, ""), () => resolve((listener.address() as AddressInfo).port));
  });
}

/** `host:port`, `[::1]:port`. Throws CONFIG. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  const port = Number(address.slice(colon + 1));
  if (colon < 1 || !/^\d+$/.test(address.slice(colon + 1)) || port > 65535)
    throw new OperatorError("CONFIG", `"${address}" is no host:port.`, "Write for example 127.0.0.1:7400.");
  return { host: address.slice(0, colon), port };
}
