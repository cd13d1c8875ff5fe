import { BlockList, isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { type ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";
import type { DeployConfig } from "./deployConfig.ts";
import { OperatorError } from "./errors.ts";
import { type Identity, type PeerRole, readIdentity, roleOf } from "./identity.ts";

/** TLS has server names and no server addresses (RFC 6066); grpc-js always sends one, so that an address needs a stand-in. */
const nameForAddresses = "address.anchorage.invalid";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Is what goes to or comes from this host sure to stay on this machine? 0.0.0.0 and :: mean every interface: no. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "");
  return bare === "localhost" || loopback.check(bare) || loopback.check(bare, "ipv6");
}

/** The host of host:port or [IPv6]:port. */
export const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");

/**
 * How a process reaches others and is reached: by mutual TLS where it has an identity; else in plain text, which must
 * not leave this machine unless a person said `insecure`.
 */
export class Transport {
  readonly identity: Identity | null;
  readonly #insecure: boolean;

  private constructor(identity: Identity | null, insecure: boolean) {
    this.identity = identity;
    this.#insecure = insecure;
  }

  /** Plain text, on this machine only. */
  static readonly plain = new Transport(null, false);

  /** Reads the certificates of this process, if it has any. Throws CONFIG. */
  static of(deploy: Pick<DeployConfig, "tls" | "insecure">, role: PeerRole): Transport {
    return new Transport(deploy.tls === null ? null : readIdentity(deploy.tls, role), deploy.insecure);
  }

  /** Throws CONFIG where plain text would leave this machine; `setting` names the field that says so. */
  check(setting: string, address: string): void {
    if (this.identity !== null || this.#insecure || isLoopback(hostOf(address))) return;
    const problem = `${setting}=${address} is not on this machine's loopback interface, and no certificates are given: anyone on the network could read along, take part or stop the run.`;
    const remedy =
      "Set tls (--tls FOLDER, ANCHORAGE_TLS) in every process; `anchorage certificates` makes the folders. Or, on a network that you trust whole, set insecure (--insecure, ANCHORAGE_INSECURE=true).";
    throw new OperatorError("CONFIG", problem, remedy);
  }

  /** For a gRPC client of `address`, where a `peer` must answer. Throws CONFIG as check() does. */
  clientCredentials(peer: PeerRole, setting: string, address: string): ChannelCredentials {
    this.check(setting, address);
    if (this.identity === null) return credentials.createInsecure();
    const { ca, cert, key } = this.identity;
    return credentials.createSsl(ca, key, cert, {
      // Not the name that grpc-js gives: it may be the stand-in of channelOptions().
      checkServerIdentity: (_, certificate) => peerProblem(peer, [hostOf(address)], certificate),
    });
  }

  /** Goes with clientCredentials() into the client of the same address. */
  channelOptions(address: string): ChannelOptions {
    if (this.identity === null || isIP(hostOf(address)) === 0) return {};
    return { "grpc.ssl_target_name_override": nameForAddresses };
  }
}

/** Why a server's certificate, issued by our authority, is not of `role` at one of these hosts; undefined: it is. */
export function peerProblem(role: PeerRole, hosts: readonly string[], certificate: PeerCertificate): Error | undefined {
  const refusals = hosts.map((host) => checkServerIdentity(host, certificate));
  if (!refusals.includes(undefined)) return refusals[0];
  const found = roleOf(certificate.subjectaltname);
  return found === role ? undefined : new Error(`its certificate is of role ${found ?? "none"}, not ${role}`);
}
