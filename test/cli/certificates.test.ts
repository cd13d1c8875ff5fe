import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it, onTestFinished } from "vitest";
import { peerRoles, readIdentity } from "../../shared/identity.ts";
import { run, temporaryFolder } from "../system/command.ts";

let certs: string;
beforeEach(() => {
  const folder = temporaryFolder();
  onTestFinished(folder.remove);
  certs = join(folder.path, "certs");
});

const certificate = (role: string): X509Certificate => new X509Certificate(readFileSync(join(certs, role, "tls.crt")));
const serverUse = "1.3.6.1.5.5.7.3.1";
const clientUse = "1.3.6.1.5.5.7.3.2";

it("makes an authority and for each role a folder with its names, its role, its uses and a key for the owner alone", async () => {
  const made = await run(["certificates", certs, "--host", "hostA", "--host", "10.0.0.5", "--days", "30"]);
  expect([made.status, made.stderr]).toEqual([0, ""]);
  expect(readdirSync(certs).sort()).toEqual(["authority", ...peerRoles].sort());
  expect(statSync(certs).mode & 0o777).toBe(0o700);
  expect(statSync(join(certs, "authority", "ca.key")).mode & 0o777).toBe(0o600);
  const names = "DNS:hostA, IP Address:10.0.0.5, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, ";
  const uses = {
    coordinator: [serverUse],
    learner: [serverUse, clientUse],
    actor: [clientUse],
    operator: [clientUse],
    nats: [serverUse],
  };
  for (const role of peerRoles) {
    const folder = join(certs, role);
    expect([role, statSync(folder).mode & 0o777]).toEqual([role, 0o700]);
    expect([role, statSync(join(folder, "tls.key")).mode & 0o777]).toEqual([role, 0o600]);
    const own = certificate(role);
    const serves = role !== "actor" && role !== "operator"; // a client's certificate names no host that it could pose as
    expect(own.subjectAltName).toBe(`${serves ? names : ""}URI:anchorage://role/${role}`);
    expect(own.keyUsage).toEqual(uses[role]); // Node's name of the extended key usage
    const days = (Date.parse(own.validTo) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29.9);
    expect(days).toBeLessThanOrEqual(30);
    expect(readIdentity(folder, role).role).toBe(role);
    expect(existsSync(join(folder, "ca.key"))).toBe(false);
  }
  expect(existsSync(join(certs, "nats", "nats.conf"))).toBe(true);
});

it("overwrites nothing: neither an authority nor what another put there", async () => {
  await run(["certificates", certs]);
  const before = readFileSync(join(certs, "actor", "tls.key"), "utf8");
  const again = await run(["certificates", certs]);
  expect(again.status).toBe(2);
  expect(again.stderr).toMatch(/holds a certificate authority already\. Give --renew/);
  rmSync(join(certs, "authority"), { recursive: true });
  const others = await run(["certificates", certs]);
  expect(others.status).toBe(2);
  expect(others.stderr).toMatch(/has coordinator, learner, actor, operator, nats in it already/);
  expect(readFileSync(join(certs, "actor", "tls.key"), "utf8")).toBe(before);
  const none = await run(["certificates", certs, "--renew"]);
  expect([none.status, none.stderr]).toEqual([2, expect.stringMatching(/holds no certificate authority/)]);
});

it("--renew makes new keys for the same names, of the same authority; the old ones stay good", async () => {
  await run(["certificates", certs, "--host", "hostA"]);
  const authority = readFileSync(join(certs, "authority", "ca.crt"), "utf8");
  const old = { certificate: certificate("learner"), key: readFileSync(join(certs, "learner", "tls.key"), "utf8") };
  const renewed = await run(["certificates", certs, "--renew", "--days", "2"]);
  expect([renewed.status, renewed.stderr]).toEqual([0, ""]);
  const now = certificate("learner");
  expect(now.subjectAltName).toBe(old.certificate.subjectAltName);
  expect(now.serialNumber).not.toBe(old.certificate.serialNumber);
  expect(now.checkPrivateKey(createPrivateKey(old.key))).toBe(false);
  expect(statSync(join(certs, "learner", "tls.key")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(certs, "learner", "ca.crt"), "utf8")).toBe(authority);
  for (const each of [now, old.certificate]) expect(each.verify(new X509Certificate(authority).publicKey)).toBe(true);
  expect(readIdentity(join(certs, "learner"), "learner").role).toBe("learner");
});

it("--renew with a damaged authority and a --host that is none are refused, without a word of the key", async () => {
  const bad = await run(["certificates", certs, "--host", "hostA:7400"]);
  expect([bad.status, bad.stderr]).toEqual([2, expect.stringMatching(/--host hostA:7400 is neither a host's name/)]);
  await run(["certificates", certs]);
  const key = readFileSync(join(certs, "authority", "ca.key"), "utf8");
  writeFileSync(join(certs, "authority", "ca.key"), key.slice(0, 120));
  const renewed = await run(["certificates", certs, "--renew"]);
  expect([renewed.status, renewed.stderr]).toEqual([2, expect.stringMatching(/holds no authority that anchorage/)]);
  expect(renewed.stderr).not.toContain(key.split("\n")[1]!.slice(0, 30));
});
