import { credentials, type ServiceError, status } from "@grpc/grpc-js";
import { expect, it, onTestFinished } from "vitest";
import type { LearnerClient } from "../../proto/gen/anchorage/v1/Learner.ts";
import { learnerProto } from "../../proto/load.ts";
import { clientOptions } from "../../shared/grpcOptions.ts";
import { registration } from "../coordinator/runningCoordinator.ts";
import { type RunningLearner, RunningSystem } from "./runningLearner.ts";
import { smallRun } from "./syntheticRollout.ts";

const rounds = 12;

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

it("a flood of registrations keeps no actor out, and members stay bounded", async () => {
  const system = await RunningSystem.start(smallRun(3, rounds, 0), { maxMembers: 20 });
  const { client } = system.coordinator;
  const honest = await client.register(registration("ACTOR"));
  const beat = () => client.heartbeat({ member_id: honest.member_id, role: "ACTOR", status_json: "{}" });
  expect((await beat()).known).toBe(true);
  for (let i = 0; i < 100; i++) await client.register(registration("ACTOR"));
  expect((await client.control("STATUS")).members).toHaveLength(20);
  expect((await beat()).known).toBe(true);
  const long = client.heartbeat({ member_id: honest.member_id, role: "ACTOR", status_json: "x".repeat(20_000) });
  await expect(long).rejects.toThrow(/status_json has 20000 characters, at most 16384/);
});

it("a hello that does not come ends the stream with the reason", async () => {
  const { learner, goOn } = await heldRun();
  const silent = collect(await learner.address);
  const answer = await silent.ended;
  expect(answer).toEqual({ code: status.DEADLINE_EXCEEDED, details: "no hello came within 10000 ms" });
  goOn();
  expect(await learner.exit).toBe(0);
}, 30_000);
