import { spawn } from "node:child_process";
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { makeEnvBatch } from "../../../actor/environments.ts";
import type { Launch } from "../../../coordinator/page/page.ts";
import { readable } from "../../../page/numbers.ts";
import { projectRoot } from "../../../shared/nativeParts.ts";
import { tinyPolicy } from "../../actor/tinyPolicy.ts";
import { chromiumFile, openBrowser, overhear, whyNoBrowser } from "../../system/chromium.ts";
import { start } from "../../system/command.ts";
import { registration, report, smallConfig } from "../runningCoordinator.ts";
import { type Served, servePage } from "./pageClient.ts";

describe.skipIf(chromiumFile === undefined)(`the page in a real browser${whyNoBrowser}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  const open = async ({ page: address }: Served): Promise<Page> => {
    const page = await browser.newPage();
    const heard = overhear(page);
    onTestFinished(async ({ task }) => {
      if (task.result?.state === "fail") console.log(heard.errors, await page.locator("body").textContent());
      await page.close(); // before the coordinator that it looks at
    });
    await page.goto(address);
    return page;
  };
  const shows = (page: Page, selector: string, wanted: string | RegExp): Promise<void> =>
    page.locator(selector, { hasText: wanted }).waitFor();
  const unlock = async (page: Page, token: string): Promise<void> => {
    await page.locator("#unlock").click();
    await page.locator("#token").fill(token);
    await page.keyboard.press("Enter");
  };

  it("makes a stopped run, and then the failed one, go on where it is still served", async () => {
    const served = await servePage({ options: { stay: true } });
    const page = await open(served);
    await shows(page, "#chartReturn", "No episode has ended yet.");
    await unlock(page, served.token);
    await page.locator("#stop").click();
    await shows(page, "#stopWhat", "the coordinator stays");
    await shows(page, "#stopCommand", `anchorage resume --run-dir ${served.runDir}`);
    await page.locator("#stopConfirm").click();
    await shows(page, "#state", "Stopped");
    await page.locator("#stop").waitFor({ state: "hidden" });
    await page.locator("#resume").click();
    await shows(page, "#state", "Training");
    expect((await served.client.getRun()).state).toBe("RUNNING");

    const { generation } = await served.client.register(registration("LEARNER"));
    await served.client.reportUpdate(report(generation, 1, { failure: "[NUMERIC] the loss is NaN" }));
    await shows(page, "#banner", "The run failed: [NUMERIC] the loss is NaN");
    await shows(page, "#state", "Failed");
    await page.locator("#resume").click();
    await shows(page, "#state", "Training");
    await page.locator("#banner").waitFor({ state: "hidden" });
    expect((await served.client.getRun()).state).toBe("RUNNING");
  });

  it("read-only says so, also to a screen reader, offers no order and takes none", async () => {
    const served = await servePage({ deploy: { page: "read-only" } });
    const { generation } = await served.client.register(registration("LEARNER"));
    await served.client.saveCheckpoint({ generation, update: 1, meanReturn: 1, bytes: new Uint8Array(9) });
    const page = await open(served);
    await shows(page, "#state", "Training");
    const controls = page.getByRole("group", { name: "Control the run" });
    expect(await controls.ariaSnapshot()).toBe(
      '- group "Control the run":\n  - paragraph: "Read-only page: it takes no orders"',
    );
    await page.getByRole("link", { name: /^Download the checkpoint/ }).waitFor();
    expect(await page.getByRole("button", { name: /^Evaluate/ }).count()).toBe(0);
    const order = JSON.stringify({
      method: "POST",
      headers: { authorization: `Bearer ${served.token}`, "content-type": "application/json" },
      body: '{"action":"STOP"}',
    });
    const sent = `fetch("/api/control", ${order}).then(async (answer) => [answer.status, await answer.text()])`;
    expect(await page.evaluate(sent)).toEqual([409, expect.stringContaining("This page is read-only")]);
    expect((await served.client.getRun()).state).toBe("RUNNING");
  });

  it("filters the log by level and by role, and what comes later, too", async () => {
    const served = await servePage();
    const logs = join(served.runDir, "logs");
    mkdirSync(logs);
    let second = 0;
    const add = (role: string, level: string, msg: string): void => {
      const time = new Date(1000 * second++).toISOString();
      appendFileSync(join(logs, `${role}.log`), `${JSON.stringify({ level, time, component: role, msg })}\n`);
    };
    add("learner", "debug", "learner debug");
    add("learner", "warn", "learner warning");
    add("actor.worker", "info", "actor line");
    add("actor", "fatal", "actor ends");
    const page = await open(served);
    const lines = page.locator("#log .text");
    const shown = (...wanted: string[]): Promise<void> =>
      expect.poll(() => lines.allTextContents(), { timeout: 20_000 }).toEqual(wanted);
    await shown("learner debug", "learner warning", "actor line", "actor ends");
    await page.getByLabel("Level").selectOption("warnings");
    await shown("learner warning", "actor ends");
    await page.getByLabel("Of", { exact: true }).selectOption("learner");
    await shown("learner warning");
    add("learner", "info", "later line");
    add("learner", "error", "later error");
    await shown("learner warning", "later error");
    await page.getByLabel("Level").selectOption("errors");
    await shown("later error");
    await page.getByLabel("Of", { exact: true }).selectOption("actor");
    await shown("actor ends");
    await page.getByLabel("Level").selectOption("all");
    await shown("actor line", "actor ends");
  });

  it("shows of a robot at play what the policy says: mean, deviation and action of each joint, and the value", async () => {
    const batch = await makeEnvBatch({ env: "HalfCheetah-v4", envOptions: {}, size: 1 });
    onTestFinished(() => batch.close());
    const served = await servePage({
      config: { ...smallConfig, env: "HalfCheetah-v4" },
      options: { launch: realPlayer },
    });
    const policy = tinyPolicy(batch.spec, 1, { scale: 4, logStd: -1 }).bytes; // means out of the actions' limits, too
    const { generation } = await served.client.register(registration("LEARNER"));
    await served.client.reportUpdate(report(generation, 1, { policy }));
    await served.client.saveCheckpoint({ generation, update: 1, meanReturn: 1, bytes: new Uint8Array(9) });
    const page = await open(served);
    const heard = overhear(page);
    await page.locator("#playToggle").click();
    await page.locator("#frame").waitFor();
    const shown = (await page.evaluate(picture)) as Picture;
    expect(heard.errors).toEqual([]);

    const told = start(["watch", "--run-dir", served.runDir, "--json", "--sample", "--fps", "15", "--fast"]);
    const { mean, std, action, value } = (await told.event(
      ({ event, episode, step }) => event === "frame" && `${Number(episode) + 1}, step ${step}` === shown.at,
    )) as unknown as { mean: number[]; std: number[]; action: number[]; value: number };
    told.process.kill("SIGTERM");
    expect(std).toEqual(std.map(() => expect.closeTo(Math.exp(-1), 5)));
    const place = (x: number): number => 100 * Math.min(1, Math.max(0, (x + 1) / 2)); // percent of [-1, 1]
    expect(shown.joints).toEqual(
      batch.presentation.actionNames!.map((name, i) => {
        const [m, s, chosen] = [mean[i]!, std[i]!, action[i]!];
        const from = Math.min(99, place(m - s));
        const text = `${name}${two(chosen)} chosen, mean ${two(m)} ± ${two(s)}`;
        const width = Math.max(1, place(m + s) - from);
        return {
          text,
          left: expect.closeTo(from, 1),
          width: expect.closeTo(width, 1),
          mark: expect.closeTo(place(chosen), 1),
        };
      }),
    );
    expect(shown.value).toBe(readable(value));
    expect(mean.some((m, i) => Math.abs(m) > 1 + std[i]!)).toBe(true); // one whose bar would be out of its track
    await told.finished;
  });
});

/** `anchorage watch` itself. */
const realPlayer: Launch = (args) =>
  spawn(process.execPath, [join(projectRoot, "dist", "cli", "main.js"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });

const two = (x: number): string => x.toFixed(2).replace("-", "−");

/** What the page shows of one picture; places in percent of the track. */
interface Picture {
  readonly at: string;
  readonly value: string;
  readonly joints: readonly { text: string; left: number; width: number; mark: number }[];
}
const picture = `({
  at: document.querySelector("#playEpisode").textContent,
  value: document.querySelector("#playValue").textContent,
  joints: [...document.querySelectorAll("#distribution li")].map((row) => ({
    text: row.textContent,
    left: parseFloat(row.querySelector("i").style.left),
    width: parseFloat(row.querySelector("i").style.width),
    mark: parseFloat(row.querySelector("b").style.left.replace("calc(", "")),
  })),
})`;
