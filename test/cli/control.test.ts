import { appendFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { control, writeEndpoint } from "../../cli/control.ts";
import { registration, report, startCoordinator, temporaryFolder } from "../coordinator/runningCoordinator.ts";

const printed = vi.spyOn(process.stdout, "write").mockReturnValue(true);
afterEach(() => void printed.mockClear());
const words = (): string => printed.mock.calls.map(([text]) => String(text)).join("");

type End = "finished" | "failed" | "stopped" | "cut off" | "unbegun";

/** A run of 4 updates that has come to an end after 2 (finished: all), its coordinator gone, its folder as left. */
async function endedRun(end: End): Promise<string> {
  const runDir = await temporaryFolder();
  const running = await startCoordinator({ runDir, options: { lingerMs: 0 } });
  writeEndpoint(runDir, running);
  if (end === "unbegun") {
    await control("STOP", { runDir });
    await running.outcome;
    return runDir;
  }
  const { member_id, generation } = await running.client.register(registration("LEARNER"));
  for (const update of [1, 2]) await running.client.reportUpdate(report(generation, update));
  const leave = { member_id, role: "LEARNER" as const, generation, leaving: true };
  if (end === "finished") {
    await running.client.reportUpdate(report(generation, 3));
    await running.client.reportUpdate(report(generation, 4, { finished: true, weights_sha256: "ab" }));
  }
  if (end === "failed") await running.client.reportUpdate(report(generation, 0, { failure: "the loss is NaN" }));
  if (end === "stopped") await running.client.control("STOP");
  if (end === "cut off") await running.stop();
  else await running.client.heartbeat(leave);
  await running.outcome;
  return runDir;
}

it.each<[End, RegExp]>([
  ["finished", /^run \S+: finished after 4 updates, 256 of 256 agent steps, mean return 40.00\n {2}weights ab\n$/],
  ["failed", /: failed after 2 updates, 128 of 256 .*\n {2}failure: the loss is NaN\n {2}Go on with: .* --resume/],
  ["stopped", /: stopped after 2 updates, 128 of 256 agent steps, mean return 20.00\n {2}Go on with: .* --resume/],
  ["unbegun", /: stopped after 0 updates, 0 of 256 agent steps, mean return -\n/],
])("status of a run that has ended comes from its folder: %s", async (end, message) => {
  const runDir = await endedRun(end);
  printed.mockClear();
  expect(await control("STATUS", { runDir })).toBe(0);
  expect(words()).toMatch(message);
  printed.mockClear();
  await control("STATUS", { runDir, json: true });
  expect(JSON.parse(words())).toMatchObject({ run: { state: expect.any(String) }, total_steps: 256, members: [] });
});

it("an ended run is not paused, resumed or stopped, and the message says how it ended", async () => {
  const runDir = await endedRun("stopped");
  for (const action of ["PAUSE", "RESUME", "STOP"] as const)
    await expect(control(action, { runDir })).rejects.toThrow(
      `[MISMATCH] ${action.toLowerCase()} is not possible: the run in ${runDir} has ended (stopped after 2 updates). Go on with: anchorage train --resume`,
    );
});

it("a run that was cut off is told from one that has ended; its torn last line does not count", async () => {
  const runDir = await endedRun("cut off");
  await appendFile(join(runDir, "metrics.jsonl"), '{"update": 3, "agent');
  await rm(join(runDir, "endpoint.json")); // else 3 s pass in which its coordinator might come back
  for (const action of ["STATUS", "STOP"] as const)
    await expect(control(action, { runDir })).rejects.toThrow(
      /NETWORK.*is running by its state.json.*cannot be reached; 2 updates.*--resume/,
    );
});

it("another run that has the port by now is neither shown nor stopped", async () => {
  const runDir = await endedRun("stopped");
  const other = await startCoordinator({ runDir: await temporaryFolder() });
  writeEndpoint(runDir, other);
  await expect(control("STOP", { runDir })).rejects.toThrow(/MISMATCH.*has ended/);
  expect(await other.client.control("STATUS")).toMatchObject({ run: { state: "RUNNING" } });
});

it("a run that goes on is asked at its coordinator", async () => {
  const runDir = await temporaryFolder();
  writeEndpoint(runDir, await startCoordinator({ runDir }));
  await control("PAUSE", { runDir });
  expect(words()).toMatch(/^run \S+: paused, generation 0/);
});

it("a folder without a run says so", async () => {
  await expect(control("STATUS", { runDir: await temporaryFolder() })).rejects.toThrow(/STORAGE.*There is no run in/);
});
