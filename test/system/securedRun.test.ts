import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { Authority } from "../../cli/authority.ts";
import { freePort } from "../../cli/natsServer.ts";
import type { Status__Output } from "../../proto/gen/anchorage/v1/Status.ts";
import { coordinatorProto, learnerProto } from "../../proto/load.ts";
import { CoordinatorClient } from "../../shared/coordinatorClient.ts";
import { peerRoles } from "../../shared/identity.ts";
import { Transport } from "../../shared/transport.ts";
import { bareCall } from "../shared/bareCall.ts";
import { CertificateFolders } from "../shared/certificateFolders.ts";
import { done, type Finished, type Running, run, start, temporaryFolder } from "./command.ts";
import { commandLines, filesBelow, keyTraces } from "./exposure.ts";
import { metricsPage } from "./scrape.ts";
import { securedNats } from "./securedNats.ts";

const { GetRun, Control } = coordinatorProto.Coordinator.service;
const { Collect } = learnerProto.Learner.service;

/** 300 updates of 128 agent steps: an idle machine makes a hundred before an order of ours has come. */
const config = ["--env", "CartPole-v1", "--seed", "3", "--total-steps", "38400"]
  .concat(...["envs=8", "envBatchSize=2", "rolloutSteps=16", "minibatches=2", "epochs=2"].map((set) => ["--set", set]))
  .concat("--set", "network.hidden=[16]");

/** A run whose processes are started one by one with the folders of `anchorage certificates`. */
class SecuredRun {
  readonly runDir: string;
  readonly #certs: string;
  readonly #nats: string;
  readonly #ports: Readonly<Record<"coordinator" | "learner" | "coordinatorMetrics" | "learnerMetrics", number>>;
  readonly outputs: Promise<Finished>[] = [];
  readonly operator: CoordinatorClient;

  private constructor(folder: string, certs: string, nats: string, ports: [number, number, number, number]) {
    this.runDir = join(folder, "run");
    this.#certs = certs;
    this.#nats = nats;
    const [coordinator, learner, coordinatorMetrics, learnerMetrics] = ports;
    this.#ports = { coordinator, learner, coordinatorMetrics, learnerMetrics };
    const transport = Transport.of({ tls: join(certs, "operator"), insecure: false }, "operator");
    this.operator = new CoordinatorClient(this.coordinator, { transport });
    onTestFinished(() => this.operator.close());
  }

  static async prepare(folder: string, certs: string): Promise<SecuredRun> {
    const nats = await securedNats(join(certs, "nats"));
    return new SecuredRun(folder, certs, nats, [
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
    ]);
  }

  get coordinator(): string {
    return `127.0.0.1:${this.#ports.coordinator}`;
  }
  get learner(): string {
    return `127.0.0.1:${this.#ports.learner}`;
  }

  /** One process of a role; it ends with the test. `tls`: default the role's own folder. */
  start(role: "coordinator" | "learner" | "actor", tls = join(this.#certs, role)): Running {
    const run = existsSync(this.runDir) ? ["--resume"] : config;
    const reach = ["--coordinator", this.coordinator];
    const flags = {
      coordinator: ["--run-dir", this.runDir, ...run, "--nats", this.#nats],
      learner: ["--listen", this.learner, ...reach],
      actor: ["--workers", "1", ...reach],
    };
    const listen = role === "coordinator" ? ["--listen", this.coordinator] : [];
    const env = {
      ANCHORAGE_COORDINATOR_METRICS_PORT: String(this.#ports.coordinatorMetrics),
      ANCHORAGE_LEARNER_METRICS_PORT: String(this.#ports.learnerMetrics),
      ANCHORAGE_LOG: "debug",
    };
    const running = start([role, "--tls", tls, ...flags[role], ...listen], { env });
    onTestFinished(() => void running.process.kill("SIGKILL"));
    this.outputs.push(running.finished);
    return running;
  }

  startMembers(): Running[] {
    return [this.start("learner"), this.start("actor"), this.start("actor")];
  }

  /** Of the command line. */
  async command(name: string, role: "operator" | "actor"): Promise<Finished> {
    const finished = run([name, "--tls", join(this.#certs, role), "--coordinator", this.coordinator, "--json"]);
    this.outputs.push(finished);
    return await finished;
  }

  /** Waits for the status that is `wanted`, as an operator watches it. */
  async seen(wanted: (status: Status__Output) => boolean): Promise<Status__Output> {
    for await (const { status } of this.operator.watch(0, { patienceMs: 60_000 }))
      if (status && wanted(status)) return status;
    throw new Error("the run ended before");
  }

  async metrics(of: "coordinator" | "learner"): Promise<string> {
    return metricsPage(Number(this.#ports[`${of}Metrics`]));
  }

  /** By reason, what a process has turned away. */
  async refused(of: "coordinator" | "learner"): Promise<Record<string, number>> {
    const lines = (await this.metrics(of)).matchAll(/^anchorage_[a-z]+_refused_total\{reason="(\w+)"\} (\d+)/gm);
    return Object.fromEntries([...lines].map(([, reason, count]) => [reason, Number(count)]));
  }
}

/** Certificate folders made by the real command: the run's, and those of somebody else's authority. */
async function commandMadeFolders(folder: string): Promise<{ certs: string; foreign: string }> {
  const [certs, foreign] = [join(folder, "certs"), join(folder, "foreign")];
  for (const made of await Promise.all([run(["certificates", certs]), run(["certificates", foreign])]))
    expect([made.status, made.stderr]).toEqual([0, ""]);
  return { certs, foreign };
}

/** One issuer's folders with something wrong about them, which the command does not make. */
async function wrongFolders(certs: string): Promise<{ expired: string; strange: string }> {
  const pem = (name: string): string => readFileSync(join(certs, "authority", name), "utf8");
  const folders = await CertificateFolders.make(
    await Authority.read({ certificate: pem("ca.crt"), key: pem("ca.key") }, certs),
  );
  const expired = await folders.of("actor", { daysAgo: 60 });
  return { expired, strange: await folders.of("actor", { issuer: await Authority.create() }) };
}

it("a run under mutual TLS turns strangers away, obeys operators only and ends with a plain run's weights", async () => {
  const folder = temporaryFolder();
  onTestFinished(folder.remove);
  const plain = run(["train", "--json", ...config, "--run-dir", join(folder.path, "plain"), "--actors", "1"]);
  const { certs, foreign } = await commandMadeFolders(folder.path);
  const { expired, strange } = await wrongFolders(certs);
  const reference = done(await plain);
  const secured = await SecuredRun.prepare(folder.path, certs);
  const first = [secured.start("coordinator"), ...secured.startMembers()];
  await secured.seen(({ run, updates }) => run?.state === "RUNNING" && updates >= 1);
  await secured.operator.control("PAUSE");
  await secured.seen(({ run, members }) => run?.state === "PAUSED" && members.length === 3);

  // The processes themselves: what their operator reads.
  const actors: [string, number, RegExp][] = [
    [join(foreign, "actor"), 1, /\[IDENTITY\] GetRun to the coordinator at .* certificate/],
    [expired, 2, /\[CONFIG\] tls=.*tls\.crt \(.*CN=actor.*\) expired on/],
    [join(certs, "coordinator"), 2, /tls\.crt is of role coordinator, and this process needs one of role actor/],
  ];
  const ended = await Promise.all(actors.map(([tls]) => secured.start("actor", tls).finished));
  for (const [i, [, exit, message]] of actors.entries())
    expect([ended[i]!.status, ended[i]!.stderr]).toEqual([exit, expect.stringMatching(message)]);
  // The foreign one, which hangs up on our certificate while we look at its own; the others did not get that far.
  const before = await secured.refused("coordinator");
  expect((before.authority ?? 0) + (before.handshake ?? 0)).toBeGreaterThanOrEqual(1);
  expect(before).not.toHaveProperty("expired");

  // Callers without such scruples, at both ports.
  const ca = readFileSync(join(certs, "actor", "ca.crt"));
  const callers: [string, string | null, RegExp][] = [
    ["authority", strange, /not issued by this server's authority/],
    ["expired", expired, /has expired/],
    ["role", join(certs, "coordinator"), /for servers only/],
    ["no_certificate", null, /showed no certificate/],
  ];
  for (const [, tls, message] of callers)
    for (const [address, { path }] of [
      [secured.coordinator, GetRun],
      [secured.learner, Collect],
    ] as const)
      expect((await bareCall(address, path, tls, ca))?.details).toMatch(message);
  const stolen = await bareCall(secured.coordinator, Control.path, join(certs, "actor"), ca);
  expect(stolen?.details).toMatch(/Control is for role operator, and the caller's certificate is of role actor/);
  expect(await secured.refused("learner")).toEqual({ authority: 1, expired: 1, role: 1, no_certificate: 1 });
  const authority = (before.authority ?? 0) + 1;
  expect(await secured.refused("coordinator")).toEqual({
    ...before,
    authority,
    expired: 1,
    role: 2,
    no_certificate: 1,
  });

  // Commands.
  const byActor = await Promise.all([secured.command("status", "actor"), secured.command("stop", "actor")]);
  for (const { status, stderr } of byActor)
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(/is of role actor, and this process needs .* operator/),
    ]);
  const told = JSON.parse((await secured.command("status", "operator")).stdout) as Status__Output;
  expect(told.run?.state).toBe("PAUSED");
  expect(told.members.map(({ role }) => role).sort()).toEqual(["ACTOR", "ACTOR", "LEARNER"]);
  const pages = [await secured.metrics("coordinator"), await secured.metrics("learner")];
  for (const page of pages) {
    // They are open to all who reach them: nothing that says which run, whose, where, or who takes part.
    for (const named of [told.run!.run_id, folder.path, secured.coordinator, ...told.members.map((m) => m.member_id)])
      expect([named, page.includes(named)]).toEqual([named, false]);
    expect([...page.matchAll(/="([^"]*)"/g)].map(([, label]) => label)).not.toContain(hostname());
  }
  const shown = [...pages, commandLines()];
  expect((await secured.command("stop", "operator")).status).toBe(0);
  for (const { finished } of first) {
    const { status, stderr } = await finished;
    expect(status, stderr.slice(-2000)).toBe(0);
  }

  // The stopped run goes on; not before all are there, since who comes after its end would wait for it. It is paused before
  // they are started: the rest takes seconds, in which a call that is tried again may sleep.
  const coordinator = secured.start("coordinator");
  await secured.operator.control("PAUSE", { patienceMs: 60_000 });
  const second = [coordinator, ...secured.startMembers()];
  await secured.seen(({ members }) => members.length === 3);
  expect((await secured.command("resume", "operator")).status).toBe(0);
  for (const { finished } of second) {
    const { status, stderr } = await finished;
    expect(status, stderr.slice(-2000)).toBe(0);
  }
  const state = JSON.parse(readFileSync(join(secured.runDir, "state.json"), "utf8")) as Record<string, unknown>;
  expect(state).toMatchObject({ state: "FINISHED", weightsSha256: reference.weightsSha256 });

  const files = filesBelow(secured.runDir);
  expect(files.filter((path) => path.endsWith(".ckpt")).length).toBeGreaterThan(0);
  const outputs = (await Promise.all(secured.outputs)).flatMap(({ stdout, stderr }) => [stdout, stderr]);
  const texts = [...shown, ...outputs, ...files.map((path) => readFileSync(path, "latin1"))];
  for (const role of peerRoles)
    for (const trace of keyTraces(readFileSync(join(certs, role, "tls.key"), "utf8")))
      expect([role, texts.some((text) => text.includes(trace))]).toEqual([role, false]);
  for (const text of outputs) expect(text).not.toContain("DeprecationWarning"); // DEP0123: addresses as TLS server names
}, 300_000);
