import { type ClientHttp2Session, connect } from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
import { credentials, type ServiceError, status } from "@grpc/grpc-js";
import { expect, it, onTestFinished, vi } from "vitest";
import type { LearnerClient } from "../../proto/gen/anchorage/v1/Learner.ts";
import { learnerProto } from "../../proto/load.ts";
import { clientOptions } from "../../shared/grpcOptions.ts";
import { splitAddress } from "../../shared/grpcServer.ts";
import { registration } from "../coordinator/runningCoordinator.ts";
import { refusals } from "../system/scrape.ts";
import { type RunningLearner, RunningSystem } from "./runningLearner.ts";
import { smallRun } from "./syntheticRollout.ts";

const rounds = 12;
const mostGrowth = 200e6; // bytes of RSS, of two servers and all the hostile clients in this one process

function raw(address: string, ...bytes: Buffer[]): Socket {
  const { host, port } = splitAddress(address);
  const socket = connectSocket(port, host);
  socket.on("error", () => undefined); // being cut is what is expected
  for (const each of bytes) socket.write(each);
  onTestFinished(() => void socket.destroy());
  return socket.resume();
}

function session(address: string): ClientHttp2Session {
  const made = connect(`http://${address}`);
  made.on("error", () => undefined);
  onTestFinished(() => made.destroy());
  return made;
}

/** A call that announces a message of `declared` bytes and sends `sent` of them. */
function announce(open: ClientHttp2Session, path: string, declared: number, sent: number): void {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(declared, 1);
  const stream = open.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" });
  stream.on("error", () => undefined);
  stream.write(Buffer.concat([head, Buffer.alloc(sent)]));
}

function collect(address: string) {
  const client: LearnerClient = new learnerProto.Learner(address, credentials.createInsecure(), clientOptions);
  const stream = client.collect();
  const ended = new Promise<{ code: number; details: string }>((resolve) => {
    stream.on("error", ({ code, details }: ServiceError) => resolve({ code, details }));
    stream.on("end", () => resolve({ code: status.OK, details: "" }));
  });
  stream.resume();
  onTestFinished(() => client.close());
  return { stream, ended };
}

/** A run whose only actor waits with its second lease until it is told to go on. */
async function heldRun(): Promise<{ system: RunningSystem; learner: RunningLearner; goOn: () => void }> {
  const system = await RunningSystem.start(smallRun(3, rounds, 0));
  const learner = system.learner();
  let goOn: () => void = () => {};
  const released = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  await system.actor(learner, {
    capacity: 2,
    onLease: (actor, lease) => void (lease.round < 2 ? Promise.resolve() : released).then(() => actor.answer(lease)),
  });
  return { system, learner, goOn };
}

it("a run reaches its end beside peers that send garbage to every port of coordinator and learner", async () => {
  const { system, learner, goOn } = await heldRun();
  const address = await learner.address;
  const coordinator = system.coordinator.address;
  await system.updates(2);
  const before = process.memoryUsage().rss;

  // garbage instead of HTTP/2, announced messages that never come, on both gRPC ports
  for (const server of [address, coordinator]) {
    for (let i = 0; i < 50; i++) raw(server, Buffer.from(`GET /${i} HTTP/1.1\r\n\r\n`), Buffer.alloc(500, i * 37));
    for (let i = 0; i < 20; i++) raw(server); // silent
  }
  const toLearner = session(address);
  for (let i = 0; i < 80; i++) announce(toLearner, "/anchorage.v1.Learner/Collect", 64 * 2 ** 20, 1000);
  const toCoordinator = session(coordinator);
  for (let i = 0; i < 30; i++) {
    announce(toCoordinator, "/anchorage.v1.Coordinator/Heartbeat", 60_000_000, 100);
    announce(toCoordinator, "/anchorage.v1.Coordinator/ReportUpdate", 60_000_000, 100);
  }

  // the learner's own protocol, spoken wrongly
  const unasked = collect(address);
  unasked.stream.write({ rollout: {} } as never);
  expect(await unasked.ended).toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: expect.stringContaining("must be hello, not rollout"),
  });
  const stranger = collect(address);
  stranger.stream.write({ hello: { run_id: "\u001b[31m".repeat(1000), capacity: 1 } } as never);
  expect(await stranger.ended).toMatchObject({ code: status.OK }); // welcome.refused said why
  const greedy = await system.actor(learner, { onLease: () => {} });
  expect(await greedy.welcomed).toBe("");
  for (let i = 0; i < 3_000; i++) greedy.sendRaw({ return_lease: { lease_id: 1e9 + i, reason: "x".repeat(100) } });
  expect(await greedy.ended).toMatch(/beyond the leases that were given/);

  // the coordinator's
  const { client } = system.coordinator;
  const huge = { ...registration("ACTOR"), host: "h".repeat(1000) };
  await expect(client.register(huge)).rejects.toThrow(/host has 1000 characters, at most 255/);
  const flags = { ...registration("ACTOR"), fingerprint_json: `{"cpuFlags":${"[".repeat(1000)}` };
  await expect(client.register(flags)).rejects.toThrow(/fingerprint .* cannot be read/);

  await vi.waitFor(async () => {
    const counted = await refusals(await learner.metricsPort);
    expect(counted).toMatchObject({ message_size: 80, no_credit: 1, protocol: 1 });
    expect(counted.handshake).toBeGreaterThanOrEqual(50);
  });
  goOn();
  expect(await learner.exit).toBe(0);
  expect((await client.control("STATUS")).run?.state).toBe("FINISHED");
  const counted = await refusals(system.coordinator.metricsPort);
  expect(counted).toMatchObject({ handshake: expect.any(Number), message_size: 30, field: 2 });
  expect(counted.calls).toBeGreaterThanOrEqual(26); // of 30 reports 4 are let in at once
  expect(process.memoryUsage().rss - before).toBeLessThan(mostGrowth);
});

it("a flood of registrations keeps no actor out, and members stay bounded", async () => {
  const system = await RunningSystem.start(smallRun(3, rounds, 0), { maxMembers: 20, heartbeatSeconds: 30 });
  const { client } = system.coordinator;
  const honest = await client.register(registration("ACTOR"));
  const beat = () => client.heartbeat({ member_id: honest.member_id, role: "ACTOR", status_json: "{}" });
  expect((await beat()).known).toBe(true);
  for (let i = 0; i < 100; i++) await client.register(registration("ACTOR"));
  expect((await client.control("STATUS")).members).toHaveLength(20);
  expect((await beat()).known).toBe(true);
  // those who are at work do not make room: one more is refused, and counted
  const { members } = await client.control("STATUS");
  for (const { member_id } of members) await client.heartbeat({ member_id, role: "ACTOR", status_json: "{}" });
  await expect(client.register(registration("ACTOR"), { patienceMs: 0 })).rejects.toThrow(
    /20 members are registered already/,
  );
  expect(await refusals(system.coordinator.metricsPort)).toEqual({ members: 1 });
  const long = client.heartbeat({ member_id: honest.member_id, role: "ACTOR", status_json: "x".repeat(20_000) });
  await expect(long).rejects.toThrow(/status_json has 20000 characters, at most 16384/);
  expect(await refusals(system.coordinator.metricsPort)).toEqual({ members: 1, field: 1 });
});

it("a hello that does not come ends the stream with the reason", async () => {
  const { learner, goOn } = await heldRun();
  const silent = collect(await learner.address);
  const answer = await silent.ended;
  expect(answer).toEqual({ code: status.DEADLINE_EXCEEDED, details: "no hello came within 10000 ms" });
  goOn();
  expect(await learner.exit).toBe(0);
}, 30_000);
