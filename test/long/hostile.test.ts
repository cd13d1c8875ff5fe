import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { splitAddress } from "../../shared/grpcServer.ts";
import { startCoordinator, temporaryFolder } from "../coordinator/runningCoordinator.ts";

const tenThousand = 10_000;
const openFiles = Number(spawnSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }).stdout);

/** Both ends of a connection are in this process, and those that wait to be closed count, too. */
it.skipIf(openFiles < 2 * tenThousand)(
  "ten thousand connections (skipped where ulimit -n is under 20000) leave the coordinator answering, at its limit, with flat memory",
  async () => {
    const coordinator = await startCoordinator({ runDir: await temporaryFolder() });
    const { host, port } = splitAddress(coordinator.address);
    const before = process.memoryUsage().rss;
    const sockets: Socket[] = [];
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    let cut = 0;
    for (let i = 0; i < tenThousand; i++) {
      const socket = connect(port, host).resume();
      socket.on("error", () => undefined);
      socket.on("close", () => cut++);
      sockets.push(socket);
      await once(socket, "connect");
      if (i % 1_000 === 0) expect((await coordinator.client.getRun()).run_id).toBe(coordinator.runId);
    }
    expect((await coordinator.client.getRun()).run_id).toBe(coordinator.runId);
    expect(cut).toBeGreaterThan(tenThousand - 2_048 - 1_000); // the last ones may still be on their way
    expect(process.memoryUsage().rss - before).toBeLessThan(400e6);
  },
);

it("the decoders and onnxruntime survive 20 000 cases each, from a new seed", () => {
  const { ANCHORAGE_TESTS: _, ...own } = process.env; // the fuzz tests are in the short suite
  const seed = own.ANCHORAGE_FUZZ_SEED ?? String(Date.now() % 2 ** 31);
  const cases = own.ANCHORAGE_FUZZ_CASES ?? "20000";
  console.log(`ANCHORAGE_FUZZ_SEED=${seed} ANCHORAGE_FUZZ_CASES=${cases}`);
  const env = { ...own, ANCHORAGE_FUZZ_SEED: seed, ANCHORAGE_FUZZ_CASES: cases };
  const args = [
    "vitest",
    "run",
    "test/shared/fuzz.test.ts",
    "test/actor/policyFuzz.test.ts",
    "test/actor/stateFuzz.test.ts",
    "--testTimeout=3000000",
  ];
  const ran = spawnSync("npx", args, { env, encoding: "utf8", maxBuffer: 64e6 });
  expect(ran.status, `${ran.stdout}\n${ran.stderr}`).toBe(0);
});
