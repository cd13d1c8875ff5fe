import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { named } from "../chaos/skipReason.ts";
import { noSmallDisk, SmallDisk } from "../chaos/smallDisk.ts";
import { until } from "../chaos/until.ts";
import { type Finished, run, start } from "./command.ts";

const missing = noSmallDisk();

async function volume() {
  const disk = await SmallDisk.mount(8);
  onTestFinished(() => disk.remove());
  const runDir = join(disk.path, "run");
  // as the manifests start it
  const args = [
    "coordinator",
    "--run-dir",
    runDir,
    "--resume",
    "auto",
    "--env",
    "CartPole-v1",
    "--listen",
    "127.0.0.1:0",
  ];
  const begins = async (): Promise<void> => {
    const running = start(args);
    const status = async (): Promise<number | null> => (await run(["status", "--run-dir", runDir])).status;
    await until("it serves the run", async () => (await status()) === 0, 60_000);
    running.process.kill("SIGTERM");
    expect((await running.finished).status).toBe(0);
  };
  return { disk, runDir, refused: (): Promise<Finished> => run(args), begins };
}

it.skipIf(missing !== null)(
  named("a run cannot begin on a full volume, and begins once there is room", missing),
  async () => {
    const { disk, runDir, refused, begins } = await volume();
    disk.fill();
    const { status, stderr } = await refused();
    expect(stderr).toMatch(
      /^anchorage: \[STORAGE\] .*\/run\S* cannot be \w+: the disk is full \(ENOSPC\)\. Free space/m,
    );
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(status).toBe(1);
    expect(existsSync(join(runDir, "run.json"))).toBe(false);
    disk.free();
    await begins();
  },
  180_000,
);

it.skipIf(missing !== null)(
  named("a run neither begins nor goes on where its volume is read-only", missing),
  async () => {
    const readOnly =
      /^anchorage: \[STORAGE\] .*\/run\S* cannot be \w+: EROFS: read-only file system.*mounted read-only/m;
    const fresh = await volume();
    await fresh.disk.makeReadOnly();
    expect((await fresh.refused()).stderr).toMatch(readOnly);
    const { disk, refused, begins } = await volume();
    await begins();
    await disk.makeReadOnly();
    const { status, stderr } = await refused();
    expect(stderr).toMatch(readOnly);
    expect(status).toBe(1);
  },
  180_000,
);
