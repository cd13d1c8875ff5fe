import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nkeys } from "@nats-io/nats-core";
import { beforeEach, expect, it, onTestFinished } from "vitest";
import type { Logger } from "../../shared/log.ts";
import { connectToNats, natsAccess } from "../../shared/natsConnection.ts";
import { Transport } from "../../shared/transport.ts";
import { startNats } from "../system/securedNats.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "anchorage-nats-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});

function file(text: string): string {
  const path = join(folder, "credentials");
  writeFileSync(path, text);
  return path;
}

/** The first thing that happens: it is let in (null), or what the log says. */
async function firstWord(address: string, natsCredentials: string | null): Promise<string | null> {
  const over = new AbortController();
  let said: string | null = null;
  const warn = (text: string): void => {
    said = text;
    over.abort();
  };
  const access = natsAccess(address, Transport.plain, { natsCredentials });
  const connection = await connectToNats(access, "test", { warn } as unknown as Logger, over.signal);
  await connection?.close();
  return said;
}

it("a token's, a user's and an nkey's file opens a NATS server that asks for it, and nothing else does", async () => {
  const user = nkeys.createUser();
  const seed = new TextDecoder().decode(user.getSeed());
  const nkeyConfig = join(folder, "nkey.conf");
  writeFileSync(nkeyConfig, JSON.stringify({ authorization: { users: [{ nkey: user.getPublicKey() }] } }));
  const other = new TextDecoder().decode(nkeys.createUser().getSeed());
  const servers = [
    { flags: ["--auth", "s3cret token"], good: "s3cret token\n", bad: "another" },
    {
      flags: ["--user", "anchorage", "--pass", "pass:word"],
      good: "anchorage\r\npass:word\n",
      bad: "anchorage\nwrong\n",
    },
    { flags: ["-c", nkeyConfig], good: `${seed}\n`, bad: other },
  ];
  for (const { flags, good, bad } of servers) {
    const address = await startNats(flags, folder);
    expect(await firstWord(address, file(good))).toBeNull();
    const refused = new RegExp(
      `no connection to NATS at ${address}, trying again: .*The server does not accept what this process shows: see natsCredentials`,
      "i",
    );
    for (const wrong of [file(bad), null]) {
      const said = await firstWord(address, wrong);
      expect(said).toMatch(refused);
      expect(said).not.toContain(bad.trim());
    }
  }
});

type KeyPair = ReturnType<typeof nkeys.createUser>;

/** What NATS's own tools issue: claims of `subject`, signed by `issuer`. */
function claims(issuer: KeyPair, subject: KeyPair, type: "operator" | "account" | "user"): string {
  const base64 = (value: object | Uint8Array): string =>
    (value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(JSON.stringify(value))).toString("base64url");
  const body = { iat: 1, iss: issuer.getPublicKey(), name: type, sub: subject.getPublicKey() };
  const any = { subs: -1, data: -1, payload: -1 };
  const limits = {
    account: { limits: { ...any, conn: -1, leaf: -1, imports: -1, exports: -1 } },
    user: any,
    operator: {},
  };
  const header = base64({ typ: "JWT", alg: "ed25519-nkey" });
  const text = `${header}.${base64({ ...body, jti: subject.getPublicKey(), nats: { type, version: 2, ...limits[type] } })}`;
  return `${text}.${base64(issuer.sign(Buffer.from(text)))}`;
}

/** A .creds file as `nsc` writes it. */
const creds = (jwt: string, user: KeyPair): string =>
  `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n` +
  `-----BEGIN USER NKEY SEED-----\n${new TextDecoder().decode(user.getSeed())}\n------END USER NKEY SEED------\n`;

it("a .creds file opens a NATS server that trusts its operator; another account's and a wrong seed do not", async () => {
  const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()];
  const config = join(folder, "operator.conf");
  const accountJwt = claims(operator, account, "account");
  const preload = `resolver_preload: { ${account.getPublicKey()}: ${accountJwt} }`;
  writeFileSync(config, `operator: ${claims(operator, operator, "operator")}\nresolver: MEMORY\n${preload}\n`);
  const address = await startNats(["-c", config], folder);
  const userJwt = claims(account, user, "user");
  expect(await firstWord(address, file(creds(userJwt, user)))).toBeNull();
  const stranger = creds(claims(nkeys.createAccount(), user, "user"), user);
  const otherSeed = creds(userJwt, nkeys.createUser());
  for (const wrong of [stranger, otherSeed])
    expect(await firstWord(address, file(wrong))).toMatch(/The server does not accept what this process shows/);
});

it("a file of credentials that is missing, empty or of no known form is named before anything is tried", () => {
  const made = (natsCredentials: string) => () => natsAccess("127.0.0.1:4222", Transport.plain, { natsCredentials });
  const missing = join(folder, "missing");
  expect(made(missing)).toThrow(`[CONFIG] natsCredentials=${missing} cannot be read: ENOENT`);
  expect(made(file(" \n"))).toThrow(/\[CONFIG\] natsCredentials=.*credentials is empty\./);
  expect(made(file("a\nb\nc\n"))).toThrow(
    /natsCredentials=.*has 3 lines and is no \.creds file\. Give a file with a token/,
  );
});
