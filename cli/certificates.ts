import { X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { storageError } from "../coordinator/atomicFile.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { identityFiles, type PeerRole, peerRoles } from "../shared/identity.ts";
import { Authority, type Pem } from "./authority.ts";
import { natsSettings } from "./natsSettings.ts";

export interface CertificateFlags {
  readonly host?: readonly string[];
  readonly days: number;
  readonly renew?: boolean;
}

/** Always among the names, so that commands on the same host reach a process that listens everywhere. */
const localNames = ["localhost", "127.0.0.1", "::1"];

/**
 * `anchorage certificates FOLDER`: FOLDER/authority, which stays with whoever issues certificates, and for each role a
 * folder to copy to its hosts. With --renew, new role folders from the authority that is there. Replaces nothing else.
 */
export async function certificates(folder: string, flags: CertificateFlags): Promise<number> {
  const authorityFolder = join(folder, "authority");
  const exists = existsSync(join(authorityFolder, "ca.key"));
  const renew = flags.renew ?? false;
  if (exists && !renew)
    throw new OperatorError(
      "CONFIG",
      `${folder} holds a certificate authority already.`,
      "Give --renew to replace the roles' certificates by new ones of the same authority, or another folder.",
    );
  if (!exists && renew)
    throw new OperatorError("CONFIG", `${folder} holds no certificate authority.`, "Leave --renew out to make one.");
  const hosts = checkedHosts(flags.host ?? (renew ? hostsOf(folder) : []));
  if (!renew) refuseOthers(folder);
  try {
    const authority = renew ? await readAuthority(authorityFolder) : await Authority.create();
    if (!renew) {
      makeFolder(folder);
      write(authorityFolder, { "ca.crt": authority.certificate, "ca.key": authority.key });
    }
    for (const role of peerRoles) {
      const { certificate, key } = await authority.issue(role, [...hosts, ...localNames], flags.days);
      write(join(folder, role), filesOf(role, authority.certificate, { certificate, key }));
    }
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause;
    throw storageError(`${folder} cannot be written`, cause);
  }
  process.stdout.write(explain(folder, hosts, flags.days));
  return 0;
}

function filesOf(role: PeerRole, ca: string, { certificate, key }: Pem): Record<string, string> {
  const { authority, certificate: own, key: ownKey } = identityFiles;
  return {
    [authority]: ca,
    [own]: certificate,
    [ownKey]: key,
    ...(role === "nats" ? { "nats.conf": natsSettings() } : {}),
  };
}

/** Keys, and what else lies beside them, are for the owner alone. */
function write(folder: string, files: Readonly<Record<string, string>>): void {
  makeFolder(folder);
  for (const [name, text] of Object.entries(files)) {
    rmSync(join(folder, name), { force: true }); // a new file has the mode that is asked for
    writeFileSync(join(folder, name), text, { mode: name.endsWith(".key") ? 0o600 : 0o644, flag: "wx" });
  }
}

function makeFolder(folder: string): void {
  if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
}

function refuseOthers(folder: string): void {
  const there = ["authority", ...peerRoles].filter((name) => existsSync(join(folder, name)));
  if (there.length === 0) return;
  const problem = `${folder} has ${there.join(", ")} in it already, and nothing is overwritten.`;
  throw new OperatorError("CONFIG", problem, "Give another folder.");
}

async function readAuthority(folder: string): Promise<Authority> {
  const read = (name: string): string => readFileSync(join(folder, name), "utf8");
  let pem: Pem;
  try {
    pem = { certificate: read("ca.crt"), key: read("ca.key") };
  } catch (cause) {
    const problem = `The authority in ${folder} cannot be read: ${messageOf(cause)}.`;
    throw new OperatorError("CONFIG", problem, "Restore ca.crt and ca.key, or make a new authority.", { cause });
  }
  return Authority.read(pem, folder);
}

/** The names in the certificates that are there. */
function hostsOf(folder: string): string[] {
  const file = join(folder, "coordinator", identityFiles.certificate);
  if (!existsSync(file))
    throw new OperatorError("CONFIG", `${file} is gone: the hosts' names are not known.`, "Give them with --host.");
  const names = new X509Certificate(readFileSync(file)).subjectAltName ?? "";
  const found = [...names.matchAll(/(?:DNS|IP Address):([^,]+)/g)].map(([, name]) => name!);
  return found.filter((name) => name !== "localhost" && name !== "127.0.0.1" && name !== "0:0:0:0:0:0:0:1");
}

function checkedHosts(hosts: readonly string[]): readonly string[] {
  for (const host of hosts)
    if (isIP(host) === 0 && !/^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i.test(host))
      throw new OperatorError(
        "CONFIG",
        `--host ${host} is neither a host's name nor an IP address.`,
        "Give it as others reach it, without a port, for example learner.example.org or 10.0.0.5.",
      );
  return hosts;
}

function explain(folder: string, hosts: readonly string[], days: number): string {
  const names = [...hosts, ...localNames].join(", ");
  return `${folder}/authority: keep it here, ca.key issues every certificate
${peerRoles.map((role) => `${folder}/${role}`).join(", ")}: copy each to the hosts of its role, readable by its user only
valid ${days} days, for servers named ${names}
Start each process with --tls FOLDER, NATS with: cd ${folder}/nats && nats-server -c nats.conf (docs/security.md)
`;
}
