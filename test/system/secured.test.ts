import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { expect, it, onTestFinished } from "vitest";
import { PolicyReceiver } from "../../actor/policyReceiver.ts";
import { natsSettings } from "../../cli/natsSettings.ts";
import { PolicyPublisher } from "../../learner/policyPublisher.ts";
import { logger } from "../../shared/log.ts";
import { connectToNats, type NatsAccess, natsAccess, openNats } from "../../shared/natsConnection.ts";
import { policyStream, policySubject } from "../../shared/policySnapshot.ts";
import { Transport } from "../../shared/transport.ts";
import { CertificateFolders } from "../shared/certificateFolders.ts";
import { CountedRefusals } from "../shared/openGuard.ts";
import { run, start, temporaryFolder } from "./command.ts";
import { commandLines, filesBelow } from "./exposure.ts";
import { metricsPage } from "./scrape.ts";
import { securedNats } from "./securedNats.ts";

const log = logger("test");
const runId = "run-7";

it("NATS takes policies from the learner's certificate only, and gives them to actors", async () => {
  const folders = await CertificateFolders.make();
  const address = await securedNats(await folders.of("nats"));
  const access = async (role: "actor" | "learner"): Promise<NatsAccess> =>
    natsAccess(address, Transport.of({ tls: await folders.of(role), insecure: false }, role), {
      natsCredentials: null,
    });
  const bytes = new Uint8Array(1_000_000).fill(7); // two chunks
  const snapshot = { version: 0, digest: createHash("sha256").update(bytes).digest("hex"), bytes };
  const stored = new Promise<void>((resolve) => {
    void access("learner").then((nats) => {
      const options = { nats, runId, generation: () => 1, slots: 2, log, onPublished: () => resolve() };
      const publisher = new PolicyPublisher(options);
      onTestFinished(() => publisher.close());
      publisher.start();
      publisher.publish(snapshot);
    });
  });
  await stored;
  const actor = await access("actor");
  const receiver = new PolicyReceiver({
    nats: actor,
    runId,
    slots: 2,
    log,
    refusals: new CountedRefusals(),
    liveMs: 1,
  });
  onTestFinished(() => receiver.close());
  receiver.start();
  const { signal } = new AbortController();
  const wanted = { version: 0, digest: snapshot.digest, patienceMs: 20_000, onNeeded: () => undefined, signal };
  await receiver.get(wanted);
  expect(receiver.newestVersion).toBe(0);

  const connection = (await connectToNats(actor, "forger", log, signal))!;
  onTestFinished(() => connection.close());
  const forbidden = (async () => {
    for await (const status of connection.status()) if (status.type === "error") return String(status.error);
    return "";
  })();
  connection.publish(policySubject(runId, 0, 0), "forged");
  expect(await forbidden).toMatch(/permissions violation.*publish/i);
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: 500 });
  await expect(manager.streams.delete(policyStream(runId))).rejects.toThrow();
  await receiver.get(wanted); // it is still there
});

it("NATS lets nobody in who has no certificate of its authority", async () => {
  const folders = await CertificateFolders.make();
  const address = await securedNats(await folders.of("nats"));
  const known = Transport.of({ tls: await folders.of("actor"), insecure: false }, "actor");
  const nats = natsAccess(address, known, { natsCredentials: null });
  const letIn = await connectToNats(nats, "known", log, AbortSignal.timeout(20_000));
  expect(letIn).not.toBeNull(); // else the others are kept out by something else
  await letIn!.close();
  const others = await CertificateFolders.make();
  const foreign = Transport.of({ tls: await others.of("actor"), insecure: false }, "actor");
  for (const access of [openNats([address]), natsAccess(address, foreign, { natsCredentials: null })])
    expect(await connectToNats(access, "stranger", log, AbortSignal.timeout(1_500))).toBeNull();
});

it("learner and actors do not take another role's server for NATS", async () => {
  const folders = await CertificateFolders.make();
  const folder = await folders.of("learner"); // of the same authority, with the host's name in it
  writeFileSync(join(folder, "nats.conf"), natsSettings());
  const address = await securedNats(folder);
  const said: string[] = [];
  const over = new AbortController();
  const warn = (text: string): void => {
    said.push(text);
    over.abort();
  };
  const actor = Transport.of({ tls: await folders.of("actor"), insecure: false }, "actor");
  const access = natsAccess(address, actor, { natsCredentials: null });
  expect(await connectToNats(access, "actor", { ...log, warn } as typeof log, over.signal)).toBeNull();
  expect(said).toEqual([expect.stringContaining("its certificate is of role learner, not nats")]);
});

it("the secrets of a real run are in files of its owner, and in nothing that it writes, serves or shows", async () => {
  const folder = temporaryFolder();
  onTestFinished(folder.remove);
  const runDir = join(folder.path, "run");
  const settings = ["--env", "CartPole-v1", "--total-steps", "20000", "--set", "rolloutSteps=64", "--set", "envs=4"];
  const training = start(
    ["train", ...settings, "--set", "envBatchSize=2", "--run-dir", runDir, "--actors", "1", "--json"],
    {
      env: { ANCHORAGE_LOG: "debug" },
    },
  );
  onTestFinished(() => void training.process.kill("SIGKILL"));
  const { metricsPort } = await training.event(({ event }) => event === "serving");
  await training.event(({ event }) => event === "update");
  const secret = (name: string): string => readFileSync(join(runDir, "secrets", name), "utf8").trim();
  const secrets = [secret("control-token"), secret("nats-token")];
  expect(secrets.every((one) => one.length === 43)).toBe(true); // 32 bytes
  for (const name of readdirSync(join(runDir, "secrets")))
    expect([name, statSync(join(runDir, "secrets", name)).mode & 0o077]).toEqual([name, 0]);
  const ps = commandLines();
  expect(ps).toContain(runDir); // it would be seen there
  const status = await run(["status", "--run-dir", runDir, "--json"]);
  expect(JSON.parse(status.stdout)).toMatchObject({ run: { state: "RUNNING" } });
  const metrics = await metricsPage(Number(metricsPort));
  const stopped = await run(["stop", "--run-dir", runDir]);
  const { stdout, stderr } = await training.finished;
  const files = filesBelow(runDir);
  expect(files.filter((path) => path.endsWith(".ckpt")).length).toBeGreaterThan(0); // stop takes one
  const written = files.map((path) => readFileSync(path, "latin1"));
  expect(written.length).toBeGreaterThan(6);
  const shown = [ps, metrics, stdout, stderr, status.stdout, status.stderr, stopped.stdout, stopped.stderr];
  for (const text of [...shown, ...written]) for (const one of secrets) expect(text.includes(one)).toBe(false);
}, 120_000);
