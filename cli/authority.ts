import "reflect-metadata"; // what @peculiar/x509 asks for
import { randomBytes, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { OperatorError } from "../shared/errors.ts";
import { type PeerRole, roleUri } from "../shared/identity.ts";

/** A certificate and its private key (PKCS #8), as PEM. */
export interface Pem {
  readonly certificate: string;
  readonly key: string; // secret
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const dayMs = 24 * 60 * 60 * 1000;
const authorityDays = 3650;
const clockSkewMs = 10 * 60 * 1000;

/** Which ends of a connection a role may be: an actor's certificate cannot serve, whatever names are in it. */
const uses: Readonly<Record<PeerRole, readonly ExtendedKeyUsage[]>> = {
  coordinator: [ExtendedKeyUsage.serverAuth],
  learner: [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth],
  actor: [ExtendedKeyUsage.clientAuth],
  operator: [ExtendedKeyUsage.clientAuth],
  nats: [ExtendedKeyUsage.serverAuth],
};

/** A certificate authority of our own: ECDSA on P-256, no intermediates. */
export class Authority {
  readonly certificate: string; // PEM
  readonly key: string; // PEM, PKCS #8. Secret
  readonly #own: X509Certificate;
  readonly #signingKey: webcrypto.CryptoKey;

  private constructor(own: X509Certificate, signingKey: webcrypto.CryptoKey, key: string) {
    this.certificate = `${own.toString("pem")}\n`;
    this.key = key;
    this.#own = own;
    this.#signingKey = signingKey;
  }

  static async create(now = new Date()): Promise<Authority> {
    const keys = await newKeys();
    const own = await X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      name: "CN=Anchorage authority",
      notBefore: new Date(now.getTime() - clockSkewMs),
      notAfter: new Date(now.getTime() + authorityDays * dayMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new Authority(own, keys.privateKey, await pemOf(keys.privateKey));
  }

  /** `where`: for the message. Throws CONFIG for files that are no authority. */
  static async read({ certificate, key }: Pem, where: string): Promise<Authority> {
    try {
      const own = new X509Certificate(certificate);
      const [pkcs8] = PemConverter.decode(key) as [ArrayBuffer];
      const signingKey = await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
      return new Authority(own, signingKey, key);
    } catch {
      // The cause could quote the key.
      const problem = `${where} holds no authority that anchorage certificates made: ca.crt or ca.key is not readable.`;
      throw new OperatorError("CONFIG", problem, "Restore both files, or make a new authority in another folder.");
    }
  }

  /** `hosts`: names and IP addresses, only for roles that serve. Valid at most as long as the authority is. */
  async issue(role: PeerRole, hosts: readonly string[], days: number, now = new Date()): Promise<Pem> {
    const keys = await newKeys();
    const serves = uses[role].includes(ExtendedKeyUsage.serverAuth);
    const names = (serves ? [...new Set(hosts)] : []).map((value) =>
      isIP(value) === 0 ? ({ type: "dns", value } as const) : ({ type: "ip", value } as const),
    );
    const notAfter = new Date(Math.min(now.getTime() + days * dayMs, this.#own.notAfter.getTime()));
    const issued = await X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: `CN=${role}, O=Anchorage`,
      issuer: this.#own.subject,
      notBefore: new Date(Math.min(now.getTime(), notAfter.getTime()) - clockSkewMs),
      notAfter,
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: this.#signingKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([...uses[role]]),
        new SubjectAlternativeNameExtension([...names, { type: "url", value: roleUri(role) }]),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
        await AuthorityKeyIdentifierExtension.create(this.#own.publicKey),
      ],
    });
    return { certificate: `${issued.toString("pem")}\n`, key: await pemOf(keys.privateKey) };
  }
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]) as Promise<webcrypto.CryptoKeyPair>;

/** Positive, 127 random bits, no leading zero byte. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString("hex");
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  return `${PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY")}\n`;
}
