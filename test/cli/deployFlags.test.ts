import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it, onTestFinished, vi } from "vitest";
import { deployConfig, trainDeployConfig } from "../../cli/deployFlags.ts";

const folder = mkdtempSync(join(tmpdir(), "anchorage-deploy-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(text: string): string {
  const path = join(folder, "deploy.yaml");
  writeFileSync(path, text);
  return path;
}

it("a flag overrides a variable, and a variable the file", () => {
  vi.stubEnv("ANCHORAGE_NATS", "variable:4222");
  vi.stubEnv("ANCHORAGE_LEASE_SECONDS", "7");
  onTestFinished(() => void vi.unstubAllEnvs());
  const deploy = file("nats: file:4222\nleaseSeconds: 5\nheartbeatSeconds: 3\n");
  expect(deployConfig({ deploy, nats: "flag:4222" })).toMatchObject({
    nats: "flag:4222",
    leaseSeconds: 7,
    heartbeatSeconds: 3,
  });
});

it("an address that is no host:port is refused with its field and value", () => {
  for (const bad of ["foo", "foo:", ":7400", "foo:70000", "foo:0", "http://foo:7400", "a b:1", "::1:7400"])
    expect(() => deployConfig({ coordinator: bad })).toThrow(
      `[CONFIG] The deploy config is wrong: coordinator: must be host:port with a port from 1 to 65535, for example 127.0.0.1:7400 (got "${bad}").`,
    );
  for (const good of ["127.0.0.1:7400", "anchorage-coordinator.default.svc:7400", "[::1]:7400"])
    expect(deployConfig({ coordinator: good, nats: good, learnerAdvertise: good }).coordinator).toBe(good);
});

it("an address to listen on may leave the port to the machine", () => {
  expect(deployConfig({ coordinatorListen: "0.0.0.0:0" }).coordinatorListen).toBe("0.0.0.0:0");
  expect(() => deployConfig({ learnerListen: "7401" })).toThrow(/learnerListen: must be host:port/);
});

it("an unknown setting of a deploy file is refused with the name that was meant", () => {
  expect(() => deployConfig({ deploy: file("leaseSecond: 5") })).toThrow(
    'leaseSecond=5 is no setting (Did you mean "leaseSeconds"?)',
  );
});

it("train refuses addresses that it chooses itself, from a file and from a variable", () => {
  for (const field of ["coordinatorListen", "coordinator", "nats"])
    expect(() => trainDeployConfig({ deploy: file(`${field}: 127.0.0.1:7411`) })).toThrow(
      new RegExp(`\\[CONFIG\\] ${field}=127.0.0.1:7411 is not for train, which starts its own`),
    );
  vi.stubEnv("ANCHORAGE_COORDINATOR_LISTEN", "127.0.0.1:7411");
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(() => trainDeployConfig({})).toThrow(/ANCHORAGE_COORDINATOR_LISTEN/);
});
