import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { EventStream } from "../../../coordinator/page/eventStream.ts";
import { mostSpectators } from "../../../coordinator/page/play.ts";
import { mostViewers } from "../../../coordinator/page/viewers.ts";
import { refusals } from "../../system/scrape.ts";
import { registration, report } from "../runningCoordinator.ts";
import { ask, EventReader, type Served, servePage } from "./pageClient.ts";

const events = (of: Served, headers = {}): EventReader => new EventReader(`${of.page}api/events`, headers);

it("tells all there is, then what is new, and after a break only what was missed", async () => {
  const served = await servePage();
  const { client } = served;
  const { generation } = await client.register(registration("LEARNER"));
  await client.reportUpdate(report(generation, 1));
  const first = events(served);
  expect((await first.named("run")).data).toMatchObject({
    runId: served.runId,
    updates: 4,
    controllable: true,
    canPlay: true,
  });
  const history = await first.named("history");
  expect([history.id, history.data.updates, history.data.values.mean_return]).toEqual(["1-1", [1], [10]]);
  expect((await first.named("status")).data).toMatchObject({ state: "RUNNING", updates: 1, learner: { lag: null } });
  await client.reportUpdate(report(generation, 2));
  const more = await first.named("updates");
  expect([more.id, more.data.updates, more.data.values.mean_return]).toEqual(["2-1", [2], [20]]);
  first.close();
  await client.reportUpdate(report(generation, 3));
  const again = events(served, { "last-event-id": "2-1" });
  expect((await again.named("updates")).data.updates).toEqual([3]);
  expect(again.events.map(({ name }) => name)).not.toContain("history");
  const stranger = events(served, { "last-event-id": "2-9" }); // of a learner that this run never had
  expect((await stranger.named("history")).data.updates).toEqual([1, 2, 3]);
});

it("tells everything anew when updates that were told are done again", async () => {
  const served = await servePage();
  const { client } = served;
  const { generation } = await client.register(registration("LEARNER"));
  for (const update of [1, 2]) await client.reportUpdate(report(generation, update));
  const reader = events(served);
  await reader.named("history");
  const next = await client.register(registration("LEARNER"));
  await client.reportUpdate(report(next.generation, 1, { metrics: { mean_return: 7 } }));
  const anew = await reader.event(({ name, data }) => name === "history" && data.updates.length === 1);
  expect([anew.id, anew.data.values.mean_return]).toEqual(["1-2", [7]]);
});

it("goes on with the next coordinator of the run where the last one ended", async () => {
  const first = await servePage();
  const { generation } = await first.client.register(registration("LEARNER"));
  await first.client.reportUpdate(report(generation, 1));
  const reader = events(first);
  await reader.named("history");
  await first.stop();
  await reader.closed;
  const second = await servePage({ runDir: first.runDir, config: null, options: { resume: "auto" } });
  expect(second.page).toBe(first.page);
  await second.client.reportUpdate(report(generation, 2));
  expect((await events(second, { "last-event-id": "1-1" }).named("updates")).data.updates).toEqual([2]);
});

it("tells its viewers how the run ended before it goes", async () => {
  const served = await servePage();
  const { client } = served;
  const { generation } = await client.register(registration("LEARNER"));
  const reader = events(served);
  await reader.named("status");
  for (const update of [1, 2, 3]) await client.reportUpdate(report(generation, update));
  await client.reportUpdate(report(generation, 4, { finished: true }));
  await served.stop(); // at once: sooner than viewers are told of changes
  await reader.closed;
  const last = reader.events.findLast(({ name }) => name === "status");
  expect(last?.data).toMatchObject({ state: "FINISHED", over: true, updates: 4 });
});

it("shows states as they change, members with rate and lag, and checkpoints with the best", async () => {
  const served = await servePage();
  const { client } = served;
  const { generation } = await client.register(registration("LEARNER"));
  const { member_id } = await client.register(registration("ACTOR"));
  for (const [update, meanReturn] of [
    [1, 9],
    [2, 4],
  ] as const) {
    await client.reportUpdate(report(generation, update));
    await client.saveCheckpoint({ generation, update, meanReturn, bytes: new Uint8Array(100 * update) });
  }
  const beat = (agentSteps: number) =>
    client.heartbeat({
      member_id,
      role: "ACTOR",
      generation,
      status_json: JSON.stringify({ agentSteps, newestPolicy: 1, workers: 4, busyWorkers: 3, notReady: null }),
    });
  await beat(100);
  await beat(900);
  const reader = events(served);
  const { data } = await reader.named("status");
  expect(data.actors).toMatchObject([{ id: member_id, state: "working", lag: 1, workers: 4, busyWorkers: 3 }]);
  expect(data.actors[0].stepsPerSecond).toBeGreaterThan(0);
  expect(data.checkpoints).toMatchObject([
    { update: 2, bytes: 200, best: false },
    { update: 1, bytes: 100, best: true },
  ]);
  await client.control("PAUSE");
  await reader.event(({ name, data: { state } }) => name === "status" && state === "PAUSED");
  await client.heartbeat({ member_id, role: "ACTOR", generation, status_json: "no JSON" }); // its word, not ours
  await reader.event(({ name, data: told }) => name === "status" && told.actors[0]?.workers === null);
});

it("hands out checkpoints and the policy as they are on the disk", async () => {
  const served = await servePage();
  const { client, page } = served;
  const { generation } = await client.register(registration("LEARNER"));
  expect((await ask(`${page}api/policy.onnx`)).status).toBe(409);
  const policy = Buffer.from("a policy");
  await client.reportUpdate(report(generation, 1, { policy }));
  await client.saveCheckpoint({ generation, update: 1, meanReturn: 1, bytes: Buffer.from("a checkpoint") });
  const { data } = await events(served).named("status");
  const download = await ask(`${page}api/checkpoints/${data.checkpoints[0].name}.ckpt`);
  expect([download.status, download.text]).toEqual([200, "a checkpoint"]);
  expect(download.headers["content-disposition"]).toBe(`attachment; filename="${data.checkpoints[0].name}.ckpt"`);
  expect((await ask(`${page}api/policy.onnx`)).text).toBe("a policy");
});

it("evaluates a checkpoint by a child, one at a time, also one that the run removes meanwhile", async () => {
  const served = await servePage({ deploy: { checkpointsKept: 1 } });
  const { client, page, token } = served;
  const { generation } = await client.register(registration("LEARNER"));
  const save = (update: number) =>
    client.saveCheckpoint({ generation, update, meanReturn: update, bytes: new Uint8Array(100 * update) });
  const evaluate = (checkpoint: string, episodes = 10) =>
    ask(`${page}api/evaluate`, {
      body: JSON.stringify({ checkpoint, episodes }),
      headers: { authorization: `Bearer ${token}` },
    });
  await save(1);
  const reader = events(served);
  const { name } = (await reader.named("status")).data.checkpoints[0];
  expect((await evaluate("00000009-g1-00000000")).status).toBe(409);
  expect((await evaluate(name, 0)).status).toBe(400);
  expect((await evaluate(name)).status).toBe(200);
  expect((await evaluate(name)).status).toBe(503); // busy
  await save(2); // the first is removed: the child has it all the same
  const done = await reader.event((event) => event.name === "status" && event.data.evaluations[0]?.state === "done");
  expect(done.data.evaluations[0]).toMatchObject({ checkpoint: name, update: 1, mean: 100, episodes: 10 });
  const { name: second } = done.data.checkpoints[0];
  await evaluate(second, 13);
  const failed = await reader.event(
    (event) => event.name === "status" && event.data.evaluations[0]?.state === "failed",
  );
  expect(failed.data.evaluations[0].problem).toBe("[CORRUPT] the checkpoint is damaged");
});

it("plays for all who look with one child, which ends with the last of them", async () => {
  const served = await servePage();
  const spectators = Array.from({ length: mostSpectators }, () => new EventReader(`${served.page}api/play`));
  const pids = await Promise.all(spectators.map(async (one) => (await one.named("watching")).data.pid as number));
  expect(new Set(pids).size).toBe(1);
  await Promise.all(spectators.map((one) => one.named("frame")));
  expect(await new EventReader(`${served.page}api/play`).status).toBe(503);
  expect(await refusals(served.metricsPort)).toEqual({ connections: 1 });
  expect(spectators[0]!.events.map(({ name }) => name)).not.toContain("secret");
  for (const one of spectators) one.close();
  await expect.poll(() => alive(pids[0]!), { timeout: 10_000 }).toBe(false);
});

it("says so when the game fails, and starts another one for who asks again", async () => {
  const served = await servePage();
  const first = new EventReader(`${served.page}api/play`);
  const { pid } = (await first.named("watching")).data;
  process.kill(pid, "SIGABRT");
  expect((await first.named("ended")).data.problem).toMatch(/SIGABRT/);
  await first.closed;
  expect((await new EventReader(`${served.page}api/play`).named("watching")).data.pid).not.toBe(pid);
});

it("takes a bounded number of viewers, and no more than it has room for", async () => {
  const served = await servePage();
  const readers = Array.from({ length: mostViewers }, () => events(served));
  await Promise.all(readers.map((one) => one.named("status")));
  expect(await events(served).status).toBe(503);
  expect(await refusals(served.metricsPort)).toEqual({ connections: 1 });
  readers[0]!.close();
  await expect.poll(() => events(served).status).toBe(200);
});

it("cuts a reader that does not read, and writes nothing more to it meanwhile", async () => {
  let stream: EventStream | undefined;
  let closed = false;
  const server: Server = createServer((_, response) => {
    stream = new EventStream(
      response,
      () => undefined,
      () => (closed = true),
      200,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  onTestFinished(() => {
    socket.destroy();
    server.close();
  });
  socket.write("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
  socket.pause();
  await expect.poll(() => stream?.ready).toBe(true);
  const large = JSON.stringify("x".repeat(1 << 20));
  let sent = 0;
  while (stream!.ready && sent < 64) {
    stream!.send("status", large);
    sent++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(sent).toBeLessThan(64); // the kernel's buffers, and one more
  await expect.poll(() => closed).toBe(true);
  expect(stream!.dropped).toBe(true);
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
