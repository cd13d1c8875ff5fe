import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { MetricsLog } from "../../../coordinator/metricsLog.ts";
import { CurveHistory } from "../../../coordinator/page/curveHistory.ts";
import type { UpdateReport__Output } from "../../../proto/gen/anchorage/v1/UpdateReport.ts";
import { logger } from "../../../shared/log.ts";
import { report, temporaryFolder } from "../runningCoordinator.ts";
import { ask, EventReader, servePage } from "./pageClient.ts";

it("tails logs/*.log by time across files, rotation and half lines, and never a whole long file", async () => {
  const runDir = await temporaryFolder();
  mkdirSync(join(runDir, "logs"));
  const file = (name: string): string => join(runDir, "logs", name);
  const line = (second: number, msg: string): string =>
    `${JSON.stringify({ level: "info", time: `2026-01-01T00:00:0${second}.000Z`, component: "learner", update: 3, msg })}\n`;
  writeFileSync(file("actor.log"), `${"old ".repeat(60_000)}\n${line(2, "später")}`);
  writeFileSync(file("learner.log"), `${line(1, "earlier")}${line(3, "latest")}{"half`);
  const served = await servePage({ runDir });
  const reader = new EventReader(`${served.page}api/events`);
  const { data } = await reader.named("log");
  const own = data.lines.filter(({ component }: { component: string }) => component === "learner");
  expect(own.map(({ text }: { text: string }) => text)).toEqual([
    "earlier  update=3",
    "später  update=3",
    "latest  update=3",
  ]);
  expect(JSON.stringify(data).length).toBeLessThan(300_000);
  appendFileSync(file("learner.log"), ` line of a crash\n`);
  const next = await reader.event(({ name, data: told }) => name === "log" && !told.reset);
  expect(next.data.lines).toMatchObject([{ component: "learner", text: '{"half line of a crash' }]);
  writeFileSync(file("learner.log"), line(4, "rotated"));
  await reader.event(({ name, data: told }) => name === "log" && /rotated/.test(JSON.stringify(told)));
});

it("compares with the runs beside it, whatever else lies there", async () => {
  const folder = await temporaryFolder();
  const served = await servePage({ runDir: join(folder, "mine") });
  const config = readFileSync(join(served.runDir, "config.json"), "utf8");
  const state = readFileSync(join(served.runDir, "state.json"), "utf8");
  const made = (name: string, files: Record<string, string>): void => {
    mkdirSync(join(folder, name));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, name, file), text);
  };
  const lines = Array.from({ length: 3000 }, (_, i) =>
    JSON.stringify({ agent_steps: i * 64, mean_return: i === 0 ? null : i }),
  );
  made("other", { "config.json": config, "state.json": state, "metrics.jsonl": `${lines.join("\n")}\n{"agent_st` });
  made("broken", { "config.json": "{", "state.json": state });
  made("notes", { "todo.txt": "" });
  writeFileSync(join(folder, "file"), "");
  const runs = JSON.parse((await ask(`${served.page}api/runs`)).text);
  expect(runs).toMatchObject([
    { name: "mine", own: true },
    { name: "other", own: false, env: "CartPole-v1" },
  ]);
  const curve = JSON.parse((await ask(`${served.page}api/runs/other`)).text);
  expect(curve.agentSteps.length).toBeLessThanOrEqual(513);
  expect([curve.meanReturn[0], curve.meanReturn.at(-1), curve.agentSteps.at(-1)]).toEqual([null, 2999, 2999 * 64]);
  expect(curve.unreadableLines).toBe(0); // the newest is only half written
  appendFileSync(join(folder, "other", "metrics.jsonl"), `eps"\n{"agent_steps":192000}\n{\n`);
  const damaged = JSON.parse((await ask(`${served.page}api/runs/other`)).text);
  expect([damaged.unreadableLines, damaged.agentSteps.at(-1)]).toEqual([2, 192_000]); // both are whole lines
  for (const name of ["../other", dirname(served.runDir), "notes/../other", "mine2"])
    expect((await ask(`${served.page}api/runs/${encodeURIComponent(name)}`)).status, name).toBe(409);
});

it("keeps long runs' curves bounded: means of equally many updates, the same after a restart", async () => {
  const folder = await temporaryFolder();
  const record = (i: number): string =>
    JSON.stringify({
      update: i,
      generation: 1,
      agent_steps: i * 64,
      time: "2026-01-01T00:00:00.000Z",
      mean_return: i % 2 === 0 ? i : null,
      entropy: 1,
    });
  writeFileSync(join(folder, "metrics.jsonl"), `${Array.from({ length: 5000 }, (_, i) => record(i + 1)).join("\n")}\n`);
  const log = await MetricsLog.open(folder, logger("test"));
  onTestFinished(() => log.close());
  const history = new CurveHistory(log, 64);
  await history.catchUp();
  const { stride, updates, values } = history.whole;
  expect(stride).toBe(4); // 5000 / 4 = 1250 points, under 2048
  expect([updates.length, updates[0], updates.at(-1)]).toEqual([1250, 4, 5000]);
  expect(values.mean_return.slice(0, 2)).toEqual([3, 7]); // of 1 to 4: the mean of 2 and 4
  expect(values.entropy.every((value) => value === 1)).toBe(true);
  const metrics = { mean_return: Number.NaN };
  await log.append({ ...report(1, 5001), metrics, actor_fingerprints: [] } as unknown as UpdateReport__Output);
  await history.catchUp();
  const late = new CurveHistory(log, 64);
  await late.catchUp();
  expect(late.whole).toEqual(history.whole);
  expect(history.after(5000, 1)?.map(({ update }) => update)).toEqual([5001]);
  expect(history.after(3, 1)).toBeNull();
});
