import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { Registry } from "prom-client";
import { expect, it, onTestFinished } from "vitest";
import { learnerMetrics } from "../../learner/metrics.ts";
import { checkReportable, UpdateReporter } from "../../learner/updateReporter.ts";
import { coordinatorProto } from "../../proto/load.ts";
import { CoordinatorClient } from "../../shared/coordinatorClient.ts";
import { maxMessageBytes } from "../../shared/grpcOptions.ts";
import { logger } from "../../shared/log.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import { registration, report, startCoordinator, temporaryFolder } from "../coordinator/runningCoordinator.ts";

const metrics = () => learnerMetrics(new Registry());

it("a report whose policy is too large to send is delivered without it, and those behind it are not held up", async () => {
  const runDir = join(await temporaryFolder(), "run");
  const { client } = await startCoordinator({ runDir });
  const { generation } = await client.register(registration("LEARNER"));
  const reporter = new UpdateReporter(client, logger("test"), metrics());
  onTestFinished(() => reporter.close());
  reporter.add(report(generation, 1, { policy: Buffer.alloc(maxMessageBytes) })); // and some bytes around it
  reporter.add(report(generation, 2, { policy: Buffer.from("small") }));
  await reporter.deliveredSoFar();
  const lines = (await readFile(join(runDir, "metrics.jsonl"), "utf8")).trim().split("\n");
  expect(lines.map((line) => JSON.parse(line).update)).toEqual([1, 2]);
  expect(await readFile(join(runDir, "policy.onnx"), "utf8")).toBe("small");
});

it("while too many reports wait it tells whoever makes them to wait; none is dropped", async () => {
  const runDir = join(await temporaryFolder(), "run");
  const running = await startCoordinator({ runDir });
  const { generation } = await running.client.register(registration("LEARNER"));
  const counted = metrics();
  const client = new CoordinatorClient(running.address);
  onTestFinished(() => client.close());
  const reporter = new UpdateReporter(client, logger("test"), counted, 3);
  onTestFinished(() => reporter.close());
  const never = new AbortController().signal;
  await running.stop();
  for (const update of [1, 2, 3]) {
    await reporter.room(never);
    reporter.add(report(generation, update));
  }
  let room = false;
  const waiting = reporter.room(never).then(() => {
    room = true;
  });
  await reporter.room(AbortSignal.timeout(50)); // told to stop, nobody waits
  expect([room, reporter.waiting, reporter.unrecorded]).toEqual([false, 3, [1, 3]]);
  await startCoordinator({ runDir, deploy: { coordinatorListen: running.address }, options: { resume: true } });
  await waiting;
  reporter.add(report(generation, 4));
  await reporter.deliveredSoFar();
  const lines = (await readFile(join(runDir, "metrics.jsonl"), "utf8")).trim().split("\n");
  expect(lines.map((line) => JSON.parse(line).update)).toEqual([1, 2, 3, 4]);
  expect((await counted.reportsDropped.get()).values.map(({ value }) => value)).toEqual([0]);
});

it("a network whose policies no report can carry is refused by the field's name", () => {
  const policy = (length: number) => ({ version: 0, digest: "", bytes: new Uint8Array(length) });
  const mlp = resolveRunConfig({ env: "CartPole-v1", network: { kind: "mlp", hidden: [8192, 4096] } }).network;
  const problem = `network.hidden=[8192, 4096] makes a policy of ${maxMessageBytes} bytes; a report to the coordinator carries at most`;
  expect(() => checkReportable(policy(maxMessageBytes), mlp)).toThrow(problem);
  expect(() =>
    checkReportable(policy(maxMessageBytes), { kind: "nature", activation: "relu", shared: true, units: 9999 }),
  ).toThrow("network.units=9999");
  expect(() => checkReportable(policy(60_000_000), mlp)).not.toThrow();
});

it("a report may take as long as the coordinator allows it: 120 s, other calls 10 s", async () => {
  const left: number[] = [];
  const answer =
    (reply: object) => (call: { getDeadline: () => Date | number }, done: (_: null, of: object) => void) => {
      left.push((Number(call.getDeadline()) - Date.now()) / 1000);
      done(null, reply);
    };
  const server = new Server();
  onTestFinished(() => server.forceShutdown());
  // the two methods that are called; the others answer that they are not implemented
  server.addService(coordinatorProto.Coordinator.service, {
    ReportUpdate: answer({ accepted: true }),
    GetRun: answer({}),
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const client = new CoordinatorClient(`127.0.0.1:${port}`);
  onTestFinished(() => client.close());
  await client.reportUpdate(report(1, 1));
  await client.getRun();
  expect(left[0]).toBeGreaterThan(60);
  expect(left[0]).toBeLessThanOrEqual(121);
  expect(left[1]).toBeLessThanOrEqual(11);
});
