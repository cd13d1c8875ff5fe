import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { WatchEvent__Output } from "../../proto/gen/anchorage/v1/WatchEvent.ts";
import { canonicalJson } from "../../shared/runConfig.ts";
import { metricsPage } from "../system/scrape.ts";
import { registration, report, smallConfig, startCoordinator, temporaryFolder } from "./runningCoordinator.ts";

const bytes = (n: number, fill: number): Uint8Array => new Uint8Array(n).map((_, i) => (i * 31 + fill) & 255);
const jsonLines = async (file: string) =>
  (await readFile(file, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

it("hands out the run and its config to whoever asks", async () => {
  const { client, runId } = await startCoordinator({ runDir: await temporaryFolder() });
  const run = await client.getRun();
  expect(run).toMatchObject({
    run_id: runId,
    state: "RUNNING",
    generation: 0,
    reproducible: true,
    newest_checkpoint: 0,
    learner_address: "",
  });
  expect(canonicalJson(JSON.parse(run.config_json))).toBe(canonicalJson(smallConfig));
});

it("raises the generation with each learner and refuses the older one everywhere", async () => {
  const { client } = await startCoordinator({ runDir: await temporaryFolder() });
  const first = await client.register(registration("LEARNER"));
  const second = await client.register(registration("LEARNER"));
  expect([first.generation, second.generation]).toEqual([1, 2]);
  const old = { generation: 1, update: 1 };
  expect(await client.reportUpdate(report(1, 1))).toMatchObject({
    accepted: false,
    refused: expect.stringContaining("superseded"),
  });
  expect(await client.saveCheckpoint({ ...old, meanReturn: 1, bytes: bytes(10, 0) })).toMatchObject({
    stored: false,
    refused: expect.stringContaining("superseded"),
  });
  const beat = await client.heartbeat({ member_id: first.member_id, role: "LEARNER", generation: 1 });
  expect(beat).toMatchObject({ known: false, generation: 2 });
  expect(await client.reportUpdate(report(2, 1))).toEqual({ accepted: true, refused: "" });
  expect(await client.reportUpdate(report(7, 1))).toMatchObject({
    accepted: false,
    refused: expect.stringContaining("never given out"),
  });
});

it("stores a checkpoint of several chunks and gives the same bytes back", async () => {
  const runDir = await temporaryFolder();
  const { client } = await startCoordinator({ runDir });
  const { generation } = await client.register(registration("LEARNER"));
  const checkpoint = { generation, update: 2, meanReturn: 5, bytes: bytes(3 * 1024 * 1024 + 17, 3) };
  expect(await client.loadCheckpoint()).toBeNull();
  expect(await client.saveCheckpoint(checkpoint)).toEqual({ stored: true, refused: "" });
  expect(await client.saveCheckpoint(checkpoint)).toEqual({ stored: true, refused: "" }); // its answer was lost
  const loaded = await client.loadCheckpoint();
  expect(loaded).toMatchObject({ generation, update: 2, meanReturn: 5 });
  expect(Buffer.compare(loaded!.bytes, checkpoint.bytes)).toBe(0);
  expect((await client.getRun()).newest_checkpoint).toBe(2);
  await expect(client.loadCheckpoint(9)).rejects.toThrow(/no checkpoint after update 9; stored: 2/);
  expect((await readdir(join(runDir, "checkpoints"))).length).toBe(2);
});

it("keeps the minibatch of a refused step, which is no checkpoint; there is one, the newest", async () => {
  const runDir = await temporaryFolder();
  const { client } = await startCoordinator({ runDir });
  const { generation } = await client.register(registration("LEARNER"));
  const send = (fill: number) => client.saveRefusedMinibatch({ generation, update: 0, bytes: bytes(2_000_000, fill) });
  expect(await send(1)).toEqual({ stored: true, refused: "" });
  expect(await send(2)).toEqual({ stored: true, refused: "" });
  const kept = await readFile(join(runDir, "refused-minibatch.safetensors"));
  expect(Buffer.compare(kept, bytes(2_000_000, 2))).toBe(0);
  expect((await client.getRun()).newest_checkpoint).toBe(0);
  expect(await client.loadCheckpoint()).toBeNull();
  await client.register(registration("LEARNER"));
  expect(await send(3)).toMatchObject({ stored: false, refused: expect.stringContaining("superseded") });
  expect(JSON.parse(await readFile(join(runDir, "state.json"), "utf8")).checkpointed).toBe(false);
});

it("serves the checkpoint before a damaged newest one, loudly", async () => {
  const runDir = await temporaryFolder();
  const { client, metricsPort } = await startCoordinator({ runDir });
  const { generation } = await client.register(registration("LEARNER"));
  for (const update of [1, 2])
    await client.saveCheckpoint({ generation, update, meanReturn: 1, bytes: bytes(1000, update) });
  const folder = join(runDir, "checkpoints");
  const newest = (await readdir(folder)).filter((name) => /^00000002.*\.ckpt$/.test(name))[0]!;
  const damaged = await readFile(join(folder, newest));
  damaged[500]! ^= 1;
  await writeFile(join(folder, newest), damaged);
  expect((await client.loadCheckpoint())?.update).toBe(1);
  expect((await client.getRun()).newest_checkpoint).toBe(1);
  expect(await readdir(folder)).toContain(`${newest}.damaged`);
  const metrics = await metricsPage(metricsPort);
  expect(metrics).toContain("anchorage_coordinator_checkpoints_damaged_total 1");
});

it("reports land once in metrics.jsonl, whatever is sent twice", async () => {
  const runDir = await temporaryFolder();
  const { client } = await startCoordinator({ runDir });
  const { generation } = await client.register(registration("LEARNER"));
  for (const update of [1, 1, 2, 1, 2, 3])
    expect((await client.reportUpdate(report(generation, update))).accepted).toBe(true);
  const records = await jsonLines(join(runDir, "metrics.jsonl"));
  expect(records.map((record) => record.update)).toEqual([1, 2, 3]);
  expect(records[1]).toMatchObject({ generation: 1, agent_steps: 128, mean_return: 20, policy_loss: -0.5 });
});

it("a learner that goes on from an earlier checkpoint replaces the later records", async () => {
  const runDir = await temporaryFolder();
  const { client } = await startCoordinator({ runDir });
  await client.register(registration("LEARNER"));
  for (const update of [1, 2, 3]) await client.reportUpdate(report(1, update));
  await client.register(registration("LEARNER"));
  await client.reportUpdate(report(2, 2));
  const records = await jsonLines(join(runDir, "metrics.jsonl"));
  expect(records.map((record) => [record.update, record.generation])).toEqual([
    [1, 1],
    [2, 2],
  ]);
});

it("finishes: policy, hash and outcome are there, and everyone learns it", async () => {
  const runDir = await temporaryFolder();
  const { client, outcome } = await startCoordinator({ runDir });
  const { member_id, generation } = await client.register(registration("LEARNER"));
  const seen: WatchEvent__Output[] = [];
  const watching = (async () => {
    for await (const event of client.watch(0)) seen.push(event);
  })();
  for (const update of [1, 2, 3]) await client.reportUpdate(report(generation, update));
  const policy = Buffer.from("onnx");
  await client.reportUpdate(report(generation, 4, { finished: true, weights_sha256: "ab", policy }));
  await watching;
  expect(seen.flatMap((event) => event.update?.update ?? [])).toEqual([1, 2, 3, 4]);
  expect(seen.at(-1)?.status).toMatchObject({
    updates: 4,
    agent_steps: 256,
    total_steps: 256,
    weights_sha256: "ab",
    run: { state: "FINISHED" },
  });
  const beat = { member_id, role: "LEARNER" as const, generation, leaving: true };
  expect(await client.heartbeat(beat)).toMatchObject({ known: true, state: "FINISHED" });
  expect(await outcome).toEqual({ state: "FINISHED", failure: "", updates: 4, agentSteps: 256, weightsSha256: "ab" });
  expect(await readFile(join(runDir, "policy.onnx"))).toEqual(policy);
});

it("serves an ended run until who follows it has heard so, though its stream was broken when the last member left", async () => {
  const options = { followed: true, lingerMs: 60_000 };
  const { client, outcome } = await startCoordinator({ runDir: await temporaryFolder(), options });
  const { member_id, generation } = await client.register(registration("LEARNER"));
  await client.reportUpdate(report(generation, 1));
  await client.control("STOP");
  await client.heartbeat({ member_id, role: "LEARNER", generation, leaving: true });
  let ended = false;
  void outcome.then(() => (ended = true));
  await new Promise((resolve) => setTimeout(resolve, 1_500)); // it looks twice a second
  expect(ended).toBe(false);
  const seen: WatchEvent__Output[] = [];
  for await (const event of client.watch(0)) seen.push(event);
  expect(seen.at(-1)?.status).toMatchObject({ updates: 1, run: { state: "STOPPING" } });
  expect(await outcome).toMatchObject({ state: "STOPPING", updates: 1 });
}, 20_000);

it("a failure reported by the learner fails the run", async () => {
  const { client, outcome } = await startCoordinator({ runDir: await temporaryFolder(), options: { lingerMs: 0 } });
  const { generation } = await client.register(registration("LEARNER"));
  await client.reportUpdate({ generation, failure: "[NUMERIC] the loss is NaN." });
  expect(await outcome).toMatchObject({ state: "FAILED", failure: "[NUMERIC] the loss is NaN." });
});

it("a failed run that is still served goes on when it is resumed: a supervisor starts its members again", async () => {
  const { client } = await startCoordinator({ runDir: await temporaryFolder(), options: { stay: true } });
  const { generation } = await client.register(registration("LEARNER"));
  await client.reportUpdate({ generation, failure: "[NUMERIC] the loss is NaN." });
  expect(await client.reportUpdate(report(generation, 1))).toMatchObject({ accepted: false });
  await client.control("RESUME");
  expect(await client.getRun()).toMatchObject({ state: "RUNNING", failure: "" });
  const next = await client.register(registration("LEARNER"));
  expect(await client.reportUpdate(report(next.generation, 1))).toMatchObject({ accepted: true });
});

it("pauses, resumes and stops; stopping waits for the learner's goodbye", async () => {
  const { client, outcome } = await startCoordinator({ runDir: await temporaryFolder() });
  const { member_id, generation } = await client.register(registration("LEARNER"));
  const state = async () => (await client.control("STATUS")).run?.state;
  await client.control("PAUSE");
  expect(await state()).toBe("PAUSED");
  await client.control("RESUME");
  expect(await state()).toBe("RUNNING");
  await client.control("STOP");
  await expect(client.control("PAUSE")).rejects.toThrow(/pause is not possible: the run is stopping/);
  expect(
    (await client.saveCheckpoint({ generation, update: 1, meanReturn: Number.NaN, bytes: bytes(9, 9) })).stored,
  ).toBe(true);
  await client.heartbeat({ member_id, role: "LEARNER", generation, leaving: true });
  expect((await outcome).state).toBe("STOPPING");
});

it("marks the run not reproducible once an actor of another fingerprint works on it, not if it only registers", async () => {
  const { client } = await startCoordinator({ runDir: await temporaryFolder() });
  const reproducible = async () => (await client.getRun()).reproducible;
  const [own, other] = [{}, { cpu: "Another CPU" }].map((of) => registration("ACTOR", of).fingerprint_json) as [
    string,
    string,
  ];
  await client.register(registration("ACTOR"));
  await client.register(registration("ACTOR", { cpu: "Another CPU" }));
  await client.register(registration("LEARNER"));
  await client.reportUpdate({ ...report(1, 1), actor_fingerprints: [own] });
  expect(await reproducible()).toBe(true);
  await client.reportUpdate({ ...report(1, 2), actor_fingerprints: [own, other] });
  expect(await reproducible()).toBe(false);
});

it("a learner of another fingerprint counts once it has worked, not if it only looked in", async () => {
  const { client } = await startCoordinator({ runDir: await temporaryFolder() });
  const reproducible = async () => (await client.getRun()).reproducible;
  await client.register(registration("LEARNER"));
  await client.reportUpdate(report(1, 1));
  await client.register(registration("LEARNER", { node: "v1.0.0" }));
  expect(await reproducible()).toBe(true);
  await client.reportUpdate(report(2, 2));
  expect(await reproducible()).toBe(false);
});

it("refuses impossible registrations and reports with the field's name", async () => {
  const { client } = await startCoordinator({ runDir: await temporaryFolder() });
  await expect(client.register({ ...registration("LEARNER"), learner_address: "nowhere" })).rejects.toThrow(
    /learner_address="nowhere"/,
  );
  await expect(client.register({ ...registration("ACTOR"), fingerprint_json: "{}" })).rejects.toThrow(/fingerprint/);
  await expect(client.register({ ...registration("ACTOR"), role: "ROLE_UNSPECIFIED" })).rejects.toThrow(/role=/);
  await client.register(registration("LEARNER"));
  expect((await client.reportUpdate(report(1, 5))).refused).toMatch(/update 5 is none of this run's 1 to 4/);
});

it("a checkpoint whose bytes do not match its checksum is refused and nothing is left behind", async () => {
  const runDir = await temporaryFolder();
  const { client, address } = await startCoordinator({ runDir });
  const { generation } = await client.register(registration("LEARNER"));
  const { coordinatorProto } = await import("../../proto/load.ts");
  const { credentials } = await import("@grpc/grpc-js");
  const stub = new coordinatorProto.Coordinator(address, credentials.createInsecure());
  const send = (sha256: string, total_bytes: number, data: Uint8Array) =>
    new Promise<string>((resolve, reject) => {
      const call = stub.saveCheckpoint((error, reply) => (error ? reject(error) : resolve(reply!.refused)));
      call.write({ header: { generation, update: 1, total_bytes, sha256, mean_return: 0 } });
      call.write({ data });
      call.end();
    });
  const good = createHash("sha256").update("abc").digest("hex");
  expect(await send(good, 3, Buffer.from("abd"))).toMatch(/its sha256 is .* announced was/);
  expect(await send(good, 3, Buffer.from("ab"))).toMatch(/2 of 3 bytes came/);
  expect(await send(good, 3, Buffer.from("abcd"))).toMatch(/more than the announced 3 bytes/);
  expect(await send("../../evil", 3, Buffer.from("abc"))).toMatch(/header is impossible/);
  expect(await send(good, 3, Buffer.from("abc"))).toBe("");
  stub.close();
  expect((await readdir(join(runDir, "checkpoints"))).filter((name) => name.includes("unfinished"))).toEqual([]);
});
