import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { controlToken } from "../../coordinator/controlToken.ts";
import { readStoredPolicy } from "../../coordinator/policyFile.ts";
import { CoordinatorClient } from "../../shared/coordinatorClient.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import { runShape } from "../../shared/runConfig.ts";
import { registration, report, temporaryFolder } from "./runningCoordinator.ts";

const config = resolveRunConfig({
  env: "CartPole-v1",
  totalSteps: 64 * 1000,
  envs: 4,
  envBatchSize: 2,
  rolloutSteps: 16,
});
const script = fileURLToPath(new URL("coordinatorProcess.mjs", import.meta.url)); // needs npm run build

interface Process {
  readonly child: ChildProcess;
  readonly address: string;
  readonly client: CoordinatorClient;
  readonly gone: Promise<unknown>;
}

async function start(runDir: string, listen = "127.0.0.1:0"): Promise<Process> {
  const deploy = { coordinatorListen: listen, checkpointsKept: 2 };
  const child = fork(script, [runDir, JSON.stringify(config), JSON.stringify(deploy)], {
    env: { ...process.env, ANCHORAGE_LOG: "error" },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const gone = once(child, "exit");
  const failed = gone.then(([status]) =>
    Promise.reject(new Error(`the coordinator ended with ${status} at its start`)),
  );
  const [message] = (await Promise.race([once(child, "message"), failed])) as [{ serving: { address: string } }];
  failed.catch(() => undefined);
  const client = new CoordinatorClient(message.serving.address, { token: controlToken(runDir, null) });
  onTestFinished(() => client.close());
  return { child, client, gone, address: message.serving.address };
}

const contentOf = (update: number): Uint8Array => new Uint8Array(2_500_000).fill(update);

/** A learner's reports and checkpoints until the coordinator is killed; gives what was acknowledged. */
async function work({ client, child }: Process, generation: number, from: number, killAfter: number) {
  const kept = { reported: from - 1, stored: 0 };
  const once = { patienceMs: 0 };
  let answers = 0;
  const answered = (): void => {
    answers++;
    if (answers === killAfter) child.kill("SIGKILL"); // while the other kind of request is in flight
  };
  const reporting = async (): Promise<void> => {
    for (let update = from; update < from + 200; update++) {
      await client.reportUpdate(report(generation, update, { policy: Buffer.alloc(300_000, update) }), once);
      kept.reported = update;
      answered();
    }
  };
  const storing = async (): Promise<void> => {
    for (let update = from; update < from + 200; update++) {
      const bytes = contentOf(update);
      const reply = await client.saveCheckpoint({ generation, update, meanReturn: -update, bytes }, once);
      if (reply.stored) kept.stored = update;
      answered();
    }
  };
  const ends = await Promise.allSettled([reporting(), storing()]);
  for (const end of ends) expect(end.status).toBe("rejected"); // both were cut off by the kill
  return kept;
}

it("a coordinator killed at any moment loses nothing that it acknowledged, and its folder is whole", async () => {
  const runDir = await temporaryFolder();
  let reported = 0;
  let stored = 0;
  for (const [round, killAfter] of [1, 2, 3, 7, 12].entries()) {
    const running = await start(runDir);
    const { generation } = await running.client.register(registration("LEARNER"));
    expect(generation).toBe(round + 1);
    const status = await running.client.control("STATUS");
    expect(status.updates).toBeGreaterThanOrEqual(reported);
    const newest = await running.client.loadCheckpoint();
    expect(newest?.update ?? 0).toBeGreaterThanOrEqual(stored);
    if (newest) expect(Buffer.compare(newest.bytes, contentOf(newest.update))).toBe(0);

    const kept = await work(running, generation, status.updates + 1, killAfter);
    await running.gone;
    if (kept.reported > 0) await readStoredPolicy(runDir, expect.fail);
    [reported, stored] = [Math.max(reported, kept.reported), Math.max(stored, kept.stored)];
  }
  const last = await start(runDir);
  const lines = (await readFile(join(runDir, "metrics.jsonl"), "utf8")).trimEnd().split("\n");
  const updates = lines.map((line) => JSON.parse(line).update as number);
  expect(updates).toEqual(updates.map((_, i) => i + 1)); // each update once, none missing
  expect(updates.length).toBeGreaterThanOrEqual(reported);
  const files = [...(await readdir(runDir)), ...(await readdir(join(runDir, "checkpoints")))];
  expect(files.filter((name) => /unfinished|damaged/.test(name))).toEqual([]);
  const policy = await readStoredPolicy(runDir, expect.fail); // good by its digest, wherever the kill came
  expect(policy.length).toBe(300_000);
  expect(new Set(policy).size).toBe(1); // of one update, not of two
  last.child.kill("SIGTERM");
  expect(await last.gone).toEqual([0, null]);
});

it("a restarted coordinator recognises its learner; a watcher and the generation go on", async () => {
  const runDir = await temporaryFolder();
  const first = await start(runDir);
  const { member_id, generation } = await first.client.register(registration("LEARNER"));
  await first.client.reportUpdate(report(generation, 1));
  const seen: number[] = [];
  const watching = (async () => {
    for await (const event of first.client.watch(0)) if (event.update) seen.push(event.update.update);
  })();
  first.child.kill("SIGKILL");
  await first.gone;
  const second = await start(runDir, first.address);
  const beat = { member_id, role: "LEARNER" as const, generation };
  expect(await first.client.heartbeat(beat)).toMatchObject({ known: true, generation, learner_address: "127.0.0.1:9" });
  const actor = { member_id: "actor-12345678", role: "ACTOR" as const };
  expect(await first.client.heartbeat(actor)).toMatchObject({ known: false });
  await first.client.reportUpdate(report(generation, 1)); // its answer may have been lost
  await first.client.reportUpdate(report(generation, 2));
  const { rounds } = runShape(config);
  await first.client.reportUpdate(report(generation, rounds, { finished: true, weights_sha256: "cd" }));
  await watching;
  expect([...new Set(seen)]).toEqual([1, 2, rounds]);
  await first.client.heartbeat({ ...beat, leaving: true });
  expect(await second.gone).toEqual([0, null]);
});

it("ends with its parent", async () => {
  const runDir = await temporaryFolder();
  const running = await start(runDir);
  running.child.disconnect(); // as when the parent is killed: its end of the channel closes
  expect(await running.gone).toEqual([0, null]);
  expect(JSON.parse(await readFile(join(runDir, "state.json"), "utf8")).state).toBe("STOPPING");
});
