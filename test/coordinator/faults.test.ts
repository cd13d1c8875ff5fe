import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { credentials, Metadata } from "@grpc/grpc-js";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { controlToken } from "../../coordinator/controlToken.ts";
import { coordinatorProto } from "../../proto/load.ts";
import { CoordinatorClient } from "../../shared/coordinatorClient.ts";
import { FailingDisk, noFailingDisk } from "../chaos/failingDisk.ts";
import { named } from "../chaos/skipReason.ts";
import { noSmallDisk, SmallDisk } from "../chaos/smallDisk.ts";
import { metricsPage } from "../system/scrape.ts";
import { registration, report, smallConfig, startCoordinator, temporaryFolder } from "./runningCoordinator.ts";

it("an address in use is one clear error, and leaves neither a lock nor a run behind", async () => {
  const { address, metricsPort } = await startCoordinator({ runDir: await temporaryFolder() });
  const runDir = await temporaryFolder();
  const on = (deploy: object) => startCoordinator({ runDir, deploy }); // without --resume: there is no run afterwards
  await expect(on({ coordinatorListen: address })).rejects.toThrow(
    new RegExp(`\\[ADDRESS\\] The coordinator cannot listen on ${address}: another process uses it`),
  );
  await expect(on({ coordinatorMetricsPort: metricsPort })).rejects.toThrow(
    new RegExp(`The metrics server cannot listen on 127.0.0.1:${metricsPort}: another process uses it`),
  );
  expect(await readdir(runDir)).not.toContain("run.json");
  expect((await on({ coordinatorListen: "127.0.0.1:0" })).runId).toMatch(/^cartpole/);
});

it("an unreachable coordinator is one clear error after the patience given", async () => {
  const { address, stop } = await startCoordinator({ runDir: await temporaryFolder() });
  await stop();
  const client = new CoordinatorClient(address);
  onTestFinished(() => client.close());
  await expect(client.getRun({ patienceMs: 100 })).rejects.toThrow(
    new RegExp(`\\[NETWORK\\] GetRun to the coordinator at ${address} failed: UNAVAILABLE`),
  );
});

const noDisk = noSmallDisk();
it.skipIf(noDisk !== null)(
  named("stop is recorded once a disk that was full for a moment has room", noDisk),
  async () => {
    const disk = await SmallDisk.mount(4);
    onTestFinished(() => disk.remove());
    const { client } = await startCoordinator({ runDir: join(disk.path, "run") });
    await client.register(registration("LEARNER"));
    disk.fill();
    const full = /\[STORAGE\] .*state\.json cannot be written: the disk is full \(ENOSPC\)/;
    await expect(client.control("STOP", { patienceMs: 0 })).rejects.toMatchObject({ code: "STORAGE", message: full });
    const stopping = client.control("STOP");
    await expect(client.control("PAUSE", { patienceMs: 0 })).rejects.toThrow(full); // the stop was refused before it
    disk.free();
    expect((await stopping).run?.state).toBe("STOPPING");
  },
);

const cannotFail = noFailingDisk();
it.skipIf(cannotFail !== null)(
  named("a stop that a failed disk cannot take is refused at once", cannotFail),
  async () => {
    const disk = await FailingDisk.mount(8);
    onTestFinished(() => disk.remove());
    const { client } = await startCoordinator({ runDir: join(disk.path, "run") });
    await client.register(registration("LEARNER"));
    await disk.fail();
    const forEver = { patienceMs: Number.POSITIVE_INFINITY };
    await expect(client.control("STOP", forEver)).rejects.toThrow(
      /^\[STORAGE\] .*state\.json cannot be written: EROFS/,
    );
    expect((await client.control("STATUS")).run?.state).toBe("RUNNING");
  },
);

it("an upload that breaks off leaves nothing behind and the next one is taken", async () => {
  const runDir = await temporaryFolder();
  const { client, address } = await startCoordinator({ runDir });
  const { generation } = await client.register(registration("LEARNER"));
  const stub = new coordinatorProto.Coordinator(address, credentials.createInsecure());
  onTestFinished(() => stub.close());
  const broken = new Promise<Error | null>((resolve) => {
    const call = stub.saveCheckpoint((error) => resolve(error));
    call.write({ header: { generation, update: 1, total_bytes: 1e6, sha256: "0".repeat(64), mean_return: 0 } });
    call.write({ data: Buffer.alloc(1000) }, () => call.cancel());
  });
  expect(await broken).toMatchObject({ code: 1 }); // CANCELLED
  const reply = await client.saveCheckpoint({ generation, update: 1, meanReturn: 0, bytes: Buffer.from("good") });
  expect(reply).toEqual({ stored: true, refused: "" });
  expect((await readdir(join(runDir, "checkpoints"))).length).toBe(2);
});

it("a watcher that does not read costs no memory and misses nothing once it reads", async () => {
  const config = { ...smallConfig, totalSteps: 64 * 3000 };
  const runDir = await temporaryFolder();
  const { client, address, metricsPort } = await startCoordinator({ runDir, config });
  const { generation } = await client.register(registration("LEARNER"));
  const stub = new coordinatorProto.Coordinator(address, credentials.createInsecure());
  onTestFinished(() => stub.close());
  const operator = new Metadata();
  operator.set("authorization", `Bearer ${controlToken(runDir, null)}`);
  const slow = stub.watch({ after_update: 0 }, operator);
  slow.on("error", () => undefined); // cancelled at the end
  const metrics = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`value_${i}`, i]));
  for (let update = 1; update <= 1500; update++) await client.reportUpdate(report(generation, update, { metrics }));
  // 1500 reports of 50 values are over a megabyte; one stream's window holds far less, the rest stays on the disk.
  const seen: number[] = [];
  for await (const event of slow) {
    if (event.update) seen.push(event.update.update);
    if (seen.length === 1500) break;
  }
  expect(seen).toEqual(Array.from({ length: 1500 }, (_, i) => i + 1));
  const page = await metricsPage(metricsPort);
  expect(page).toContain("anchorage_coordinator_updates 1500\n");
  expect(page).not.toContain("value_"); // names that a learner chooses make no series
});

it("a hundred may watch; the next one is told so, until one of them goes", async () => {
  const runDir = await temporaryFolder();
  const { address } = await startCoordinator({ runDir });
  const stub = new coordinatorProto.Coordinator(address, credentials.createInsecure());
  onTestFinished(() => stub.close());
  const operator = new Metadata();
  operator.set("authorization", `Bearer ${controlToken(runDir, null)}`);
  const watch = async () => {
    const stream = stub.watch({ after_update: 0 }, operator);
    const refused = await new Promise<string>((resolve) => {
      stream.on("error", ({ details }: { details: string }) => resolve(details)); // later: cancelled
      stream.once("data", () => resolve(""));
    });
    return { stream, refused };
  };
  const watching = await Promise.all(Array.from({ length: 100 }, watch));
  expect(watching.filter(({ refused }) => refused !== "")).toEqual([]);
  expect((await watch()).refused).toBe("100 watchers are the most");
  watching[0]!.stream.cancel();
  await vi.waitFor(async () => expect((await watch()).refused).toBe(""), 20_000);
});

it("serves health over gRPC and HTTP, and answers nothing else", async () => {
  const { address, metricsPort } = await startCoordinator({ runDir: await temporaryFolder() });
  const { makeClientConstructor } = await import("@grpc/grpc-js");
  const { service } = await import("grpc-health-check");
  const Health = makeClientConstructor(service as never, "Health");
  const health = new Health(address, credentials.createInsecure()) as unknown as {
    check: (request: object, done: (error: Error | null, reply: { status: string }) => void) => void;
    close: () => void;
  };
  onTestFinished(() => health.close());
  const status = await new Promise((resolve, reject) =>
    health.check({ service: "anchorage.v1.Coordinator" }, (error, reply) =>
      error ? reject(error) : resolve(reply.status),
    ),
  );
  expect(status).toBe("SERVING");
  const get = async (path: string, method = "GET") =>
    (await fetch(`http://127.0.0.1:${metricsPort}${path}`, { method })).status;
  expect([
    await get("/healthz"),
    await get("/readyz"),
    await get("/metrics"),
    await get("/etc"),
    await get("/metrics", "POST"),
  ]).toEqual([200, 200, 200, 404, 405]);
});

describe.skipIf(process.getuid?.() !== 0 || !canMount())(
  "on a disk of 4 MiB (skipped without the right to mount one)",
  () => {
    it("a full disk refuses checkpoints and reports with the reason, keeps what is there, and goes on once there is room", async () => {
      const disk = await temporaryFolder();
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]);
      onTestFinished(() => void execFileSync("umount", ["-l", disk]));
      const runDir = join(disk, "run");
      const { client, metricsPort } = await startCoordinator({ runDir });
      const { generation } = await client.register(registration("LEARNER"));
      const save = (update: number) =>
        client.saveCheckpoint({ generation, update, meanReturn: 0, bytes: Buffer.alloc(1.5e6, update) });
      expect((await save(1)).stored).toBe(true);
      await mkdir(join(disk, "others"));
      await writeFile(join(disk, "others", "big"), Buffer.alloc(1.2e6));
      expect(await save(2)).toMatchObject({
        stored: false,
        refused: expect.stringMatching(/disk is full.*Free space/),
      });
      expect((await client.loadCheckpoint())?.update).toBe(1);
      expect((await readdir(join(runDir, "checkpoints"))).filter((name) => name.includes("unfinished"))).toEqual([]);
      const big = report(generation, 1, { policy: Buffer.alloc(3e6) });
      await expect(client.reportUpdate(big, { patienceMs: 0 })).rejects.toThrow(/disk is full/);
      await rm(join(disk, "others", "big"));
      expect((await save(2)).stored).toBe(true);
      expect(await client.reportUpdate(report(generation, 1))).toMatchObject({ accepted: true });
      expect((await readFile(join(runDir, "metrics.jsonl"), "utf8")).trimEnd().split("\n").length).toBe(1);
      const page = await metricsPage(metricsPort);
      expect(page).toContain('anchorage_coordinator_checkpoints_refused_total{reason="storage"} 1');
    });
  },
);

function canMount(): boolean {
  try {
    execFileSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "ignore" });
    return true;
  } catch {
    return false; // a container without the capability
  }
}
