import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Authority } from "../../cli/authority.ts";
import { readIdentity, roleOf } from "../../shared/identity.ts";
import { isLoopback, Transport } from "../../shared/transport.ts";
import { CertificateFolders } from "./certificateFolders.ts";

it("0.0.0.0, :: and names that only begin like loopback leave the machine", () => {
  expect(["127.0.0.1", "127.8.8.8", "[::1]", "localhost"].map(isLoopback)).toEqual([true, true, true, true]);
  for (const host of ["0.0.0.0", "[::]", "10.0.0.1", "127.0.0.1.example.org", "localhost.example.org", "hostA"])
    expect([host, isLoopback(host)]).toEqual([host, false]);
});

it("plain text beyond the machine is refused with the field, the value and both remedies, unless a person said so", () => {
  for (const address of ["0.0.0.0:7400", "hostA:7400", "[::]:7400"])
    expect(() => Transport.plain.check("coordinatorListen", address)).toThrow(
      new RegExp(`\\[CONFIG\\] coordinatorListen=${address.replace(/[[\]]/g, "\\$&")} is not.*--tls.*--insecure`),
    );
  expect(() => Transport.plain.check("nats", "127.0.0.1:4222")).not.toThrow();
  expect(() => Transport.of({ tls: null, insecure: true }, "actor").check("nats", "hostA:4222")).not.toThrow();
});

it("a process with the wrong certificate does not start, and hears why; its key is never quoted", async () => {
  const folders = await CertificateFolders.make();
  const good = await folders.of("actor");
  expect(readIdentity(good, "actor").role).toBe("actor");
  expect(() => readIdentity(good, "learner")).toThrow(
    /tls.crt is of role actor, and this process needs one of role learner/,
  );
  expect(() => readIdentity(join(good, "missing"), "actor")).toThrow(/\[CONFIG\] tls=.*ca.crt cannot be read/);
  const old = await folders.of("actor", { daysAgo: 60 });
  expect(() => readIdentity(old, "actor")).toThrow(/CN=actor.*expired on/);
  const foreign = await folders.of("actor", { issuer: await Authority.create() });
  expect(() => readIdentity(foreign, "actor")).toThrow(/was not issued by the authority in ca.crt/);
  // Nor does it help to put our authority's certificate behind it, where one that links them belongs.
  const own = readFileSync(join(foreign, "tls.crt"), "utf8");
  writeFileSync(join(foreign, "tls.crt"), `${own}${folders.authority.certificate}`);
  expect(() => readIdentity(foreign, "actor")).toThrow(/was not issued by the authority in ca.crt/);
  const other = await folders.of("actor");
  writeFileSync(join(good, "tls.key"), readFileSync(join(other, "tls.key")));
  expect(() => readIdentity(good, "actor")).toThrow(/tls.key is not the key of tls.crt/);
  const secret = "c2VjcmV0LWtleS1tYXRlcmlhbA";
  writeFileSync(join(good, "tls.key"), `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`);
  expect(() => readIdentity(good, "actor")).toThrow(/^(?!.*c2VjcmV0).*no readable PEM private key/);
});

it("a name cannot pass for a role, and two roles are none", () => {
  expect(roleOf("DNS:a, URI:anchorage://role/actor")).toBe("actor");
  expect(roleOf('DNS:"a, URI:anchorage://role/actor"')).toBeNull();
  expect(roleOf("URI:anchorage://role/actor, URI:anchorage://role/learner")).toBeNull();
  expect(roleOf("URI:anchorage://role/actors")).toBeNull();
  expect(roleOf(undefined)).toBeNull();
});
