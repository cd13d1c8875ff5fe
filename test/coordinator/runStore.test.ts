import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, it, type Mock, onTestFinished, vi } from "vitest";
import { type OpenRunOptions, openRun } from "../../coordinator/runStore.ts";
import type { RunConfig } from "../../shared/runConfig.ts";
import { FailingDisk, noFailingDisk } from "../chaos/failingDisk.ts";
import { named } from "../chaos/skipReason.ts";
import { smallConfig, temporaryFolder } from "./runningCoordinator.ts";

const deadPid = 2 ** 22 + 1; // above Linux's largest pid
const thrown = (error: Error): never => {
  throw error;
};
const lock = { onLost: thrown, onStale: thrown };
const open = (runDir: string, more: Partial<OpenRunOptions> = {}) =>
  openRun({ runDir, config: smallConfig, resume: false, lock, ...more });
const closed = async (runDir: string, more: Partial<OpenRunOptions> = {}) => {
  const run = await open(runDir, more);
  await run.close();
  return run;
};

it("creates a run and opens the same one again", async () => {
  const folder = join(await temporaryFolder(), "deep", "run");
  const made = await closed(folder);
  expect(made.created).toBe(true);
  expect(made.run.runId).toMatch(/^cartpole-v1-ano-s1-\d{8}-\d{4}-[0-9a-f]{6}$/);
  const again = await closed(folder, { config: null, resume: true });
  expect(again).toMatchObject({ created: false, run: { runId: made.run.runId }, config: smallConfig });
  expect((await readdir(folder)).sort()).toEqual(["checkpoints", "config.json", "lock.2", "run.json", "state.json"]);
});

it("refuses a folder that holds a run unless resume is asked for", async () => {
  const folder = await temporaryFolder();
  const { run } = await closed(folder);
  await expect(open(folder)).rejects.toThrow(new RegExp(`already holds the run ${run.runId}.*--resume`));
});

it("refuses to resume where there is nothing, and leaves nothing there", async () => {
  const folder = join(await temporaryFolder(), "absent");
  await expect(open(folder, { resume: true })).rejects.toThrow(/no run to resume in .*absent/);
  await expect(open(folder, { config: null, resume: "auto" })).rejects.toThrow(/no run to resume/);
  await expect(readdir(folder)).rejects.toThrow("ENOENT");
});

it("auto creates the run the first time and goes on with it the second", async () => {
  const folder = await temporaryFolder();
  expect((await closed(folder, { resume: "auto" })).created).toBe(true);
  expect((await closed(folder, { resume: "auto" })).created).toBe(false);
});

it("names every setting that differs from the run's", async () => {
  const folder = await temporaryFolder();
  await closed(folder);
  const other = { ...smallConfig, gamma: 0.9, network: { ...smallConfig.network, hidden: [8] } } as RunConfig;
  await expect(open(folder, { config: other, resume: true })).rejects.toThrow(
    /gamma: 0\.99 against 0\.9; network\.hidden: \[64,64\] against \[8\]/,
  );
  const longer = { ...smallConfig, totalSteps: 512 };
  await expect(open(folder, { config: longer, resume: true })).rejects.toThrow(
    /totalSteps: 256 against 512.*start a new run/,
  );
});

it("refuses a folder with other things in it, a file, and a folder that cannot be made", async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, "thesis.tex"), "");
  await expect(open(folder)).rejects.toThrow(/not empty and not a run \(it holds thesis\.tex\)/);
  await expect(open(join(folder, "thesis.tex"))).rejects.toThrow(/is a file/);
  await expect(open(join(folder, "thesis.tex", "below"))).rejects.toThrow(/\[STORAGE\].*cannot be/);
  await expect(open("/proc/anchorage-run")).rejects.toThrow(/\[STORAGE\].*\/proc\/anchorage-run/);
});

it("accepts a folder where only logs are yet", async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "logs"));
  expect((await closed(folder)).created).toBe(true);
});

it("refuses damaged and newer run files by name", async () => {
  const folder = await temporaryFolder();
  const { run, state } = await closed(folder);
  const reopen = () => open(folder, { config: null, resume: true });
  const edit = (name: string, text: string) => writeFile(join(folder, name), text);
  await edit("run.json", JSON.stringify({ ...run, format: 99 }));
  await expect(reopen()).rejects.toThrow(/\[MISMATCH\].*format is 99/);
  await edit("run.json", "{");
  await expect(reopen()).rejects.toThrow(/\[CORRUPT\].*run\.json is damaged/);
  await edit("run.json", JSON.stringify(run));
  await edit("state.json", "{}");
  await expect(reopen()).rejects.toThrow(/\[CORRUPT\].*state\.json/);
  await edit("config.json", JSON.stringify({ ...smallConfig, gamma: 2 }));
  await expect(reopen()).rejects.toThrow(/\[CORRUPT\].*config\.json.*gamma/s);
  await edit("config.json", JSON.stringify(smallConfig));
  await edit("state.json", JSON.stringify(state.current));
  expect((await closed(folder, { resume: "auto" })).created).toBe(false); // each failed opening let go of its lock
});

it("goes on after a crash in the middle of making a run", async () => {
  const folder = await temporaryFolder();
  await closed(folder);
  await rm(join(folder, "run.json")); // it is written last
  await writeFile(join(folder, "run.json.unfinished-77"), "{");
  expect((await closed(folder)).created).toBe(true);
  expect(await readdir(folder)).not.toContain("run.json.unfinished-77");
});

it("an explicit resume wakes a paused, stopped or failed run; auto leaves it", async () => {
  for (const state of ["PAUSED", "STOPPING", "FAILED"] as const) {
    const folder = await temporaryFolder();
    const made = await open(folder);
    await made.state.change(() => ({ state, failure: state === "FAILED" ? "why" : "" }));
    await made.close();
    expect((await closed(folder, { resume: "auto" })).state.current.state).toBe(state);
    expect((await closed(folder, { resume: true })).state.current).toMatchObject({ state: "RUNNING", failure: "" });
  }
});

it("an asynchronous run is not reproducible from the start", async () => {
  const config = { ...smallConfig, policyLag: "async" as const };
  const { state } = await closed(await temporaryFolder(), { config });
  expect(state.current.differences).toEqual(["policyLag async trains on whatever arrives"]);
});

it("two coordinators cannot own one folder; a dead one's lock is taken over", async () => {
  const folder = await temporaryFolder();
  const first = await open(folder);
  await expect(open(folder, { resume: true })).rejects.toThrow(
    new RegExp(`in use by another coordinator: pid ${process.pid} on ${hostname()}`),
  );
  await first.close();
  let number = 10;
  const lock = (owner: object) => {
    const content = { pid: 1, host: hostname(), started: null, released: false, ...owner };
    number += 2;
    return writeFile(join(folder, `lock.${number}`), JSON.stringify(content));
  };
  const opens = async () => (await closed(folder, { resume: true })).created === false;
  await lock({ pid: deadPid });
  expect(await opens()).toBe(true);
  await lock({ pid: process.pid, started: "an earlier process with our pid" });
  expect(await opens()).toBe(true);
  await writeFile(join(folder, "lock.98"), "torn");
  expect(await opens()).toBe(true);
  number = 100;
  await lock({ host: "another-machine" }); // just refreshed: its owner lives
  await expect(open(folder, { resume: true })).rejects.toThrow(/pid 1 on another-machine/);
  const longAgo = new Date(Date.now() - 3_600_000);
  await utimes(join(folder, "lock.102"), longAgo, longAgo);
  expect(await opens()).toBe(true);
});

const noDisk = noFailingDisk();
it.skipIf(noDisk !== null)(
  named(
    "a lock on a disk that turns read-only stays its owner's, and is lost to another one or with its folder",
    noDisk,
  ),
  async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    onTestFinished(() => void vi.useRealTimers());
    const disk = await FailingDisk.mount(8);
    onTestFinished(() => disk.remove());
    const later = (of: Mock, times = 1): Promise<unknown> => {
      vi.advanceTimersByTime(5_000); // the lock is refreshed
      return vi.waitFor(() => expect(of).toHaveBeenCalledTimes(times));
    };
    const events = () => ({ onLost: vi.fn(), onStale: vi.fn() });
    const [taken, gone] = [events(), events()];
    const folder = await temporaryFolder();
    await open(folder, { lock: taken });
    await writeFile(join(folder, "lock.7"), JSON.stringify({ pid: 1, host: "b", started: null, released: false }));
    await later(taken.onLost);
    expect(String(taken.onLost.mock.calls[0]![0])).toMatch(/\[STORAGE\] The lock of .* was taken by pid 1 on b/);

    await open(join(disk.path, "run"), { lock: gone });
    await disk.fail();
    await later(gone.onStale);
    await later(gone.onStale, 2);
    expect(String(gone.onStale.mock.calls[0]![0])).toMatch(/\[STORAGE\] The lock of .* cannot be refreshed: EROFS/);
    expect(gone.onLost).not.toHaveBeenCalled();
    await disk.repair();
    await rm(join(disk.path, "run"), { recursive: true });
    await later(gone.onLost);
  },
);

it("the lock of a killed coordinator whose parent never notices its death is taken over", async () => {
  const folder = await temporaryFolder();
  await closed(folder);
  const parent = spawn("sh", ["-c", "sh -c 'echo $$; exec sleep 0' & exec sleep 600"]); // reaps nobody
  try {
    const [pid] = (await once(parent.stdout, "data")) as [Buffer];
    const stateOf = () => readFile(`/proc/${Number(pid)}/stat`, "utf8");
    await vi.waitUntil(async () => / Z /.test(await stateOf()), 10_000);
    const owner = { pid: Number(pid), host: hostname(), started: null, released: false };
    await writeFile(join(folder, "lock.10"), JSON.stringify(owner));
    expect((await closed(folder, { resume: true })).created).toBe(false);
  } finally {
    parent.kill("SIGKILL");
  }
});

it("of many coordinators that start at once on one folder exactly one gets it, stale lock or not", async () => {
  const folder = await temporaryFolder();
  await closed(folder);
  for (let round = 0; round < 20; round++) {
    const dead = { pid: deadPid, host: hostname(), started: null, released: false };
    if (round % 2 === 1) await writeFile(join(folder, `lock.${round * 1000}`), JSON.stringify(dead));
    const tries = await Promise.allSettled(Array.from({ length: 8 }, () => open(folder, { resume: true })));
    const owners = tries.filter((attempt) => attempt.status === "fulfilled");
    expect(owners.length).toBe(1);
    for (const attempt of tries) if (attempt.status === "rejected") expect(String(attempt.reason)).toMatch(/STORAGE/);
    await owners[0]!.value.close();
  }
  expect((await readdir(folder)).filter((name) => name.startsWith("lock")).length).toBe(1);
});

it("state changes are on the disk when they are answered, in order", async () => {
  const folder = await temporaryFolder();
  const { state, close } = await open(folder);
  const changes = Array.from({ length: 20 }, () => state.change((now) => ({ generation: now.generation + 1 })));
  await Promise.all(changes);
  expect(JSON.parse(await readFile(join(folder, "state.json"), "utf8")).generation).toBe(20);
  await close();
});
