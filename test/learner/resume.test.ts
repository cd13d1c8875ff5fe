import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { expect, it } from "vitest";
import { RunningSystem, testFingerprint } from "./runningLearner.ts";
import { smallRun } from "./syntheticRollout.ts";

const rounds = 8;

/** A run that was stopped after some updates, its checkpoint on the disk. */
async function stoppedRun(): Promise<RunningSystem> {
  const system = await RunningSystem.start(smallRun(2, rounds, 0));
  const learner = system.learner();
  const actor = await system.actor(learner, {
    capacity: 2,
    onLease: (self, lease) => (lease.round > 3 ? undefined : self.answer(lease)),
  });
  await system.updates(4);
  await system.coordinator.client.control("STOP");
  expect(await learner.exit).toBe(0);
  actor.kill();
  await system.coordinator.client.control("RESUME");
  return system;
}

it("on another machine is refused by name before any actor is let in; accepted, the run is not reproducible", async () => {
  const system = await stoppedRun();
  const elsewhere = { ...testFingerprint, cpu: "Another CPU" };
  const refused = system.learner({ fingerprint: elsewhere });
  await expect(refused.exit).rejects.toThrow(/\[MISMATCH\].*cpu: .* against Another CPU/);
  expect(refused.trainer()).toBeNull();
  const accepted = system.learner({ fingerprint: elsewhere, deploy: { otherFingerprint: "accept" } });
  await system.actor(accepted);
  expect(await accepted.exit).toBe(0);
  expect(accepted.trainer()!.seen).toHaveLength(rounds - 4);
  const { metrics } = await system.coordinator.client.control("STATUS");
  expect(metrics.reproducible).toBe(0);
});

it("with every checkpoint damaged ends with an error: never a fresh start", async () => {
  const system = await stoppedRun();
  const folder = join(system.runDir, "checkpoints");
  for (const file of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, file));
    bytes[Math.floor(bytes.length / 2)]! ^= 1;
    writeFileSync(join(folder, file), bytes);
  }
  const learner = system.learner();
  await expect(learner.exit).rejects.toThrow(/CORRUPT|STORAGE|MISMATCH/);
  expect(learner.trainer()).toBeNull();
});

it("by a learner that is asked to stop at once saves what there is, and the next one goes on", async () => {
  const system = await stoppedRun();
  const learner = system.learner();
  await learner.address;
  learner.lifecycle.stop({ kind: "signal", detail: "SIGTERM" });
  expect(await learner.exit).toBe(0);
  const last = system.learner();
  await system.actor(last);
  expect(await last.exit).toBe(0);
  expect(await system.updates(rounds)).toBe(rounds);
});

it("after the last checkpoint was stored and before its report was delivered only reports, without any actor", async () => {
  const system = await RunningSystem.start(smallRun(2, rounds, 0));
  const learner = system.learner();
  await system.actor(learner);
  expect(await learner.exit).toBe(0);
  const weights = await system.finalWeights();
  const records = readFileSync(join(system.runDir, "metrics.jsonl"), "utf8");
  await system.stopCoordinator();
  const file = join(system.runDir, "state.json");
  const state = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, JSON.stringify({ ...state, state: "RUNNING", weightsSha256: "" }));
  await system.startCoordinatorAgain();
  const again = system.learner();
  expect(await again.exit).toBe(0);
  expect(again.trainer()!.seen).toEqual([]);
  expect(await system.finalWeights()).toBe(weights);
  expect(readFileSync(join(system.runDir, "metrics.jsonl"), "utf8")).toBe(records);
});

it("an address that is in use, malformed or unreachable is one clear error", async () => {
  const system = await RunningSystem.start(smallRun(2, rounds, 0));
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };
  const learnerAt = (deploy: object) => system.learner({ deploy }).exit;
  await expect(learnerAt({ learnerListen: `127.0.0.1:${port}` })).rejects.toThrow(
    /\[ADDRESS\].*another process uses it/,
  );
  expect(() => learnerAt({ learnerListen: "127.0.0.1" })).toThrow(/host:port/); // the schema's word
  await expect(learnerAt({ learnerListen: "0.0.0.0:0", insecure: true })).rejects.toThrow(
    /\[CONFIG\].*Set learnerAdvertise/,
  );
  await expect(learnerAt({ learnerMetricsPort: port })).rejects.toThrow(/\[ADDRESS\].*another process uses it/);
  taken.close();
});

it("a link that swallows everything costs a lease's time, not the run", async () => {
  const system = await RunningSystem.start(smallRun(2, rounds, 0));
  const learner = system.learner({ deploy: { leaseSeconds: 0.5 } });
  const [host, port] = (await learner.address).split(":") as [string, string];
  const sockets: Socket[] = [];
  const proxy = createServer((near) => {
    const far = connect(Number(port), host);
    sockets.push(near, far);
    near.pipe(far);
    far.pipe(near);
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const proxied = `127.0.0.1:${(proxy.address() as { port: number }).port}`;
  const behind = await system.actor(
    { ...learner, address: Promise.resolve(proxied) },
    {
      onLease: (self, lease) => {
        if (lease.round === 2) for (const socket of sockets) socket.unpipe().pause(); // cut, and nobody is told
        self.answer(lease);
      },
    },
  );
  await behind.welcomed;
  await system.actor(learner);
  expect(await learner.exit).toBe(0);
  for (const socket of sockets) socket.destroy();
  proxy.close();
});
