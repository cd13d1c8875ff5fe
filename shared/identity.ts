import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, OperatorError } from "./errors.ts";

/** What a certificate lets its holder be. `operator`: the command line that controls a run. */
export const peerRoles = ["coordinator", "learner", "actor", "operator", "nats"] as const;
export type PeerRole = (typeof peerRoles)[number];

/** A certificate says its role in one of its subject alternative names, a URI of this form. */
export const roleUri = (role: PeerRole): string => `anchorage://role/${role}`;

/** Files of a certificate folder, named as a Kubernetes TLS secret (and cert-manager) has them. */
export const identityFiles = { authority: "ca.crt", certificate: "tls.crt", key: "tls.key" } as const;

/** Who this process is to others, and whom it believes. */
export interface Identity {
  readonly role: PeerRole;
  readonly folder: string;
  readonly ca: Buffer; // PEM, one or more authorities
  readonly cert: Buffer; // PEM, the certificate and what links it to an authority
  readonly key: Buffer; // PEM. Secret
  readonly validTo: Date;
}

/**
 * The role in a certificate's subject alternative names, as OpenSSL prints them ("DNS:a, URI:anchorage://role/actor");
 * null: none, or more than one. Node quotes names with commas in them, so that no other name can pass for a role.
 */
export function roleOf(subjectAltName: string | undefined): PeerRole | null {
  const names = (subjectAltName ?? "").split(", ");
  const found = peerRoles.filter((role) => names.includes(`URI:${roleUri(role)}`));
  return found.length === 1 ? found[0]! : null;
}

/** Reads and checks the certificate folder of a process with that role. Throws CONFIG: what is wrong, and with which file. */
export function readIdentity(folder: string, role: PeerRole, now = new Date()): Identity {
  const read = (file: string): Buffer => {
    try {
      return readFileSync(join(folder, file));
    } catch (cause) {
      throw wrong(folder, `${file} cannot be read: ${messageOf(cause)}`, cause);
    }
  };
  const ca = read(identityFiles.authority);
  const cert = read(identityFiles.certificate);
  const key = read(identityFiles.key);
  const authorities = certificatesIn(folder, identityFiles.authority, ca);
  const chain = certificatesIn(folder, identityFiles.certificate, cert);
  const [own] = chain as [X509Certificate];
  checkKey(folder, own, key);
  checkChain(folder, chain, authorities, now);
  const found = roleOf(own.subjectAltName);
  if (found !== role)
    throw wrong(folder, `tls.crt is of role ${found ?? "none"}, and this process needs one of role ${role}`);
  return { role, folder, ca, cert, key, validTo: new Date(own.validTo) };
}

function certificatesIn(folder: string, file: string, pem: Buffer): X509Certificate[] {
  const blocks = pem.toString("latin1").match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw wrong(folder, `${file} holds no PEM certificate`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw wrong(folder, `${file} holds no readable certificate`, cause);
  }
}

/** The errors of the key's parser are not passed on: they could quote the key. */
function checkKey(folder: string, own: X509Certificate, key: Buffer): void {
  let belongs: boolean;
  try {
    belongs = own.checkPrivateKey(createPrivateKey(key));
  } catch {
    throw wrong(folder, "tls.key holds no readable PEM private key without a passphrase");
  }
  if (!belongs) throw wrong(folder, "tls.key is not the key of tls.crt");
}

function checkChain(folder: string, chain: X509Certificate[], authorities: X509Certificate[], now: Date): void {
  for (const { validFrom, validTo, subject } of chain) {
    const name = subject.replaceAll("\n", ", ");
    if (new Date(validTo) < now) throw wrong(folder, `tls.crt (${name}) expired on ${validTo}`);
    if (new Date(validFrom) > now) throw wrong(folder, `tls.crt (${name}) is valid only from ${validFrom}`);
  }
  const issued = (one: X509Certificate, by: X509Certificate): boolean =>
    one.checkIssued(by) && one.verify(by.publicKey);
  const linked = chain.every((one, i) => i === 0 || issued(chain[i - 1]!, one));
  const last = chain.at(-1)!;
  if (!linked || !authorities.some((authority) => issued(last, authority) || last.raw.equals(authority.raw)))
    throw wrong(folder, "tls.crt was not issued by the authority in ca.crt");
}

function wrong(folder: string, problem: string, cause?: unknown): OperatorError {
  return new OperatorError(
    "CONFIG",
    `tls=${folder}: ${problem}.`,
    "Give the folder of this process's role; `anchorage certificates` makes them (docs/security.md).",
    { cause },
  );
}
