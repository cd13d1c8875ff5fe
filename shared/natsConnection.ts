import {
  type Authenticator,
  AuthorizationError,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { Backoff } from "./backoff.ts";
import type { DeployConfig } from "./deployConfig.ts";
import { messageOf, OperatorError } from "./errors.ts";
import type { Logger } from "./log.ts";
import { readSecret } from "./secretFile.ts";
import { hostOf, peerProblem, Transport } from "./transport.ts";

/** Where the NATS servers are and how this process shows who it is. */
export interface NatsAccess {
  readonly servers: readonly string[]; // host:port
  readonly transport: Transport;
  readonly authenticator: Authenticator | null;
}

/** Without certificates and credentials: a server on this machine that asks for nothing. */
export const openNats = (servers: readonly string[]): NatsAccess => ({
  servers,
  transport: Transport.plain,
  authenticator: null,
});

/** `servers`: host:port, comma-separated. Throws CONFIG for credentials that cannot be read and for plain text beyond this machine. */
export function natsAccess(
  servers: string,
  transport: Transport,
  deploy: Pick<DeployConfig, "natsCredentials">,
): NatsAccess {
  const list = servers.split(",");
  for (const server of list) transport.check("nats", server);
  const { natsCredentials: file } = deploy;
  return { servers: list, transport, authenticator: file === null ? null : authenticatorOf(file) };
}

/** The file itself says what it is: a .creds file, an nkey seed (SU...), a user and a password on a line each, or a token. */
function authenticatorOf(file: string): Authenticator {
  const secret = readSecret("natsCredentials", file);
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  // the client finds nothing in a .creds file whose last line is not ended
  if (secret.includes("-----BEGIN NATS USER JWT-----")) return credsAuthenticator(bytes(`${secret}\n`));
  if (/^SU[A-Z2-7]{56}$/.test(secret)) return nkeyAuthenticator(bytes(secret));
  const [first, second, ...more] = secret.split(/\r?\n/) as [string, ...string[]];
  if (second === undefined) return tokenAuthenticator(first);
  if (more.length === 0) return usernamePasswordAuthenticator(first, second);
  const problem = `natsCredentials=${file} has ${more.length + 2} lines and is no .creds file.`;
  const remedy = "Give a file with a token, an nkey seed (SU...), or a user and a password on a line each.";
  throw new OperatorError("CONFIG", problem, remedy);
}

const credentialsRemedy = "The server does not accept what this process shows: see natsCredentials and tls";

/** Connects, trying again for as long as it takes; null: `signal` aborted. The connection mends itself from then on. */
export async function connectToNats(
  access: NatsAccess,
  name: string,
  log: Logger,
  signal: AbortSignal,
): Promise<NatsConnection | null> {
  const { servers, transport, authenticator } = access;
  for (const server of servers) transport.check("nats", server);
  const backoff = new Backoff({ firstMs: 200, maxMs: 3_000 });
  let said = "";
  while (!signal.aborted)
    try {
      return await connect({
        servers: [...servers],
        name,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 250,
        reconnectJitter: 250,
        pingInterval: 10_000, // a half-open link is noticed after two of them
        timeout: 5_000,
        ignoreClusterUpdates: true, // only servers that a person named, by the names that they have in certificates
        ...(authenticator === null ? {} : { authenticator }),
        ...tlsOptions(access),
      });
    } catch (error) {
      const problem =
        error instanceof AuthorizationError ? `${messageOf(error)}. ${credentialsRemedy}` : messageOf(error);
      if (problem !== said) log.warn(`no connection to NATS at ${servers.join(", ")}, trying again: ${problem}`);
      said = problem;
      await backoff.wait(signal).catch(() => undefined); // closing: the loop's condition ends it
    }
  return null;
}

/** The client's own check knows a server by the name that it dialled last; ours, by the names that were configured. */
function tlsOptions({ servers, transport }: NatsAccess): object {
  if (transport.identity === null) return {};
  const { ca, cert, key } = transport.identity;
  const text = { ca: ca.toString(), cert: cert.toString(), key: key.toString() };
  const hosts = servers.map(hostOf);
  return {
    tls: {
      ...text,
      checkServerIdentity: (_: string, certificate: Parameters<typeof peerProblem>[2]) =>
        peerProblem("nats", hosts, certificate),
    },
  };
}
