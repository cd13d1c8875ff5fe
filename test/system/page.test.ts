import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readable } from "../../page/numbers.ts";
import { chromiumFile, type Overheard, openBrowser, overhear, whyNoBrowser } from "./chromium.ts";
import { type Running, start, temporaryFolder } from "./command.ts";

describe.skipIf(chromiumFile === undefined)(`the page of a run that trains, in a real browser${whyNoBrowser}`, () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let runDir: string;
  let training: Running;
  let address: string;
  let browser: Browser;
  let page: Page;
  let heard: Overheard;

  beforeAll(async () => {
    folder = temporaryFolder();
    runDir = join(folder.path, "runs", "one");
    const flags = ["--env", "CartPole-v1", "--total-steps", "50000000", "--run-dir", runDir];
    training = start(["train", "--json", ...flags], { env: { ANCHORAGE_CHECKPOINT_EVERY: "10" } });
    const [serving, opened] = await Promise.all([training.event(({ event }) => event === "serving"), openBrowser()]);
    address = String(serving.page);
    browser = opened;
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    heard = overhear(page);
    await page.goto(address);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    training?.process.kill("SIGTERM");
    await training?.finished;
    folder?.remove();
  }, 60_000);

  const patient = { timeout: 60_000 };
  const text = async (selector: string): Promise<string> => (await page.locator(selector).textContent()) ?? "";
  /** Until the text at a selector is as wanted; the browser is asked again and again. */
  const shows = (selector: string, wanted: RegExp): Promise<void> =>
    page.locator(selector, { hasText: wanted }).waitFor({ state: "visible", timeout: 60_000 });
  const updatesDone = async (): Promise<number> =>
    Number(/update ([\d,.]+)/.exec(await text("#progressText"))![1]!.replaceAll(",", ""));
  const moreUpdates = (than: number): Promise<unknown> =>
    expect.poll(updatesDone, { timeout: 60_000 }).toBeGreaterThan(than);

  it("shows the run and follows it", async () => {
    await shows("#title", /CartPole-v1/);
    await shows("#state", /Training/);
    await shows("#tileReturn", /\d/);
    await page.locator("#chartReturn canvas").waitFor();
    await moreUpdates(await updatesDone());
    await shows("#members tbody", /learner-.*working/s);
    await shows("#members tbody", /actor-.*working/s);
    await shows("#log", /actor registered/);
    expect(await page.locator("#learningCharts canvas").count()).toBe(6);
  }, 90_000);

  it("takes no orders without the control token, and says so of a wrong one", async () => {
    expect(await page.locator("#pause").isVisible()).toBe(false);
    await page.locator("#unlock").click();
    await page.locator("#token").fill("wrong");
    await page.keyboard.press("Enter");
    await shows("#tokenProblem", /not this run's control token/);
    await page.locator("#token").fill(readFileSync(join(runDir, "secrets", "control-token"), "utf8"));
    await page.keyboard.press("Enter");
    await page.locator("#pause").waitFor({ state: "visible" });
    expect(page.url()).toBe(address);
    // the 401 above is the one thing that a browser tells of such an answer
    expect(heard.errors.splice(0)).toEqual([expect.stringContaining("401")]);
  }, 60_000);

  it("pauses, by keyboard", async () => {
    await page.locator("#policyLink").waitFor({ timeout: 60_000 }); // a first checkpoint: what follows needs one
    await page.locator("#pause").focus();
    await page.keyboard.press("Enter");
    await shows("#state", /Paused/);
    await shows("#announcer", /paused/);
  }, 60_000);

  it.each([
    ["light", 1280],
    ["dark", 390],
  ] as const)(
    "in %s at %i px nothing overflows, and axe finds nothing (AA contrast, labels, landmarks)",
    async (colorScheme, width) => {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 844 });
      await page.locator("#configSummary").click();
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
      await page.evaluate(axe.source);
      const { violations } = (await page.evaluate('axe.run({ resultTypes: ["violations"] })')) as {
        violations: { id: string; nodes: { html: string }[] }[];
      };
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
      await page.locator("#configSummary").click();
    },
    120_000,
  );

  it("labels of axes are as large on a screen with two pixels to one", async () => {
    const phone = await browser.newPage({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 });
    await phone.goto(address);
    await phone.locator("#chartReturn canvas").waitFor();
    const font = "document.querySelector('#chartReturn canvas').getContext('2d').font";
    await expect.poll(() => phone.evaluate(font)).toMatch(/^24px/);
    await phone.close();
  }, 60_000);

  it("evaluates a checkpoint and hands it out whole", async () => {
    await page
      .locator("#checkpoints tbody tr")
      .first()
      .getByRole("button", { name: /^Evaluate/ })
      .click();
    await shows("#checkpoints tbody", /± .* 10 episodes/);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page
        .locator("#checkpoints tbody tr")
        .first()
        .getByRole("link", { name: /^Download/ })
        .click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/^\d{8}-g1-[0-9a-f]{8}\.ckpt$/);
    expect(readFileSync(await download.path()).length).toBeGreaterThan(50_000);
  }, 90_000);

  it("compares with other runs of its folder, at most six at once, and says what it cannot read", async () => {
    const others = ["two", "three", "four", "five", "six", "seven"];
    const newest = others.map((name, i) => copyOf(runDir, name, 5 + i));
    const compared = await browser.newPage();
    await compared.clock.install(); // to wait 15 s without waiting
    const said = overhear(compared);
    await compared.goto(address);
    const note = compared.locator("#compareNote");
    const choice = (name: string) => compared.getByRole("checkbox", { name: new RegExp(`^${name} CartPole-v1, ano`) });
    const noteSays = (wanted: RegExp) => expect.poll(() => note.textContent(), patient).toMatch(wanted);
    const lines = async (): Promise<string[]> =>
      (await compared.locator("#compareChart .plot").getAttribute("aria-label"))!.split(": ")[1]!.split(", ");
    await noteSays(/Choose up to 5/);
    expect(await lines()).toEqual([expect.stringMatching(/^this run \d/)]);
    for (const name of others.slice(0, 5)) await choice(name).check();
    const drawn = others.slice(0, 5).map((name, i) => `ano s${i + 2} (${name}) ${newest[i]}`);
    await expect.poll(lines, patient).toEqual([expect.stringMatching(/^this run \d/), ...drawn]);
    const keys = compared.locator("#compareChart .legend span");
    expect(await keys.allTextContents()).toEqual(["this run", ...drawn.map((line) => line.replace(/ [^ ]+$/, ""))]);

    await choice("seven").click();
    await noteSays(/^5 are chosen, which are the most/);
    expect(await choice("seven").isChecked()).toBe(false);
    await choice("two").uncheck();
    await noteSays(/Choose up to 5/);
    damage(join(runDir, "..", "seven"));
    await choice("seven").check();
    await noteSays(/^1 line of seven\/metrics\.jsonl cannot be read and is left out/);
    await expect.poll(lines, patient).toEqual([expect.any(String), ...drawn.slice(1), `ano s7 (seven) ${newest[5]}`]);

    rmSync(join(runDir, "..", "three"), { recursive: true });
    await compared.clock.fastForward(15_000); // what may go on is read again
    await noteSays(/There is no run "three" in that folder\./);
    await choice("three").uncheck();
    await choice("three").click();
    await noteSays(/There is no run "three" in that folder\./);
    await expect.poll(() => choice("three").isChecked(), patient).toBe(false);
    await expect.poll(lines, patient).toEqual([expect.any(String), ...drawn.slice(2), `ano s7 (seven) ${newest[5]}`]);
    const conflict = expect.stringContaining("409"); // what a browser tells of such an answer
    expect(said.errors).toEqual([conflict, conflict]);
    await compared.close();
  }, 60_000);

  it("goes on, by keyboard", async () => {
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.locator("#resume").focus();
    await page.keyboard.press("Space");
    await shows("#state", /Training/);
    await moreUpdates(await updatesDone());
  }, 60_000);

  it("shows the agent at play while somebody looks, and no longer", async () => {
    await page.locator("#playToggle").click();
    await page.locator("#frame").waitFor({ state: "visible", timeout: 60_000 });
    const first = await page.locator("#frame").getAttribute("src");
    await expect.poll(() => page.locator("#frame").getAttribute("src")).not.toBe(first);
    const shares = await page.locator("#distribution li .number").allTextContents(); // of one picture
    expect(shares).toHaveLength(2);
    const percent = shares.map((share) => Number(/^(\d+) %$/.exec(share)?.[1]));
    expect(Math.abs(percent[0]! + percent[1]! - 100)).toBeLessThanOrEqual(1); // both rounded
    expect(await page.locator("#distribution li.chosen").count()).toBe(1);
    await shows("#playValue", /\d/);
    expect(players(training.process.pid!)).toHaveLength(1);
    await page.locator("#playToggle").click();
    await expect.poll(() => players(training.process.pid!), { timeout: 20_000 }).toHaveLength(0);
  }, 120_000);

  it("said nothing on the console and asked nobody but its coordinator", () => {
    expect(heard.errors).toEqual([]);
    expect([...heard.hosts]).toEqual([new URL(address).host]);
  });

  it("says plainly that the coordinator has gone, and goes on with the next one", async () => {
    const before = await updatesDone();
    process.kill(coordinatorOf(runDir), "SIGKILL");
    await shows("#banner", /does not answer; trying again/);
    await page.locator("#banner").waitFor({ state: "hidden", timeout: 60_000 });
    await moreUpdates(before);
    expect(await page.locator("#pause").isVisible()).toBe(true); // the token's proof outlives a coordinator
    expect(
      heard.errors
        .splice(0)
        .filter((line) => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|ERR_CONNECTION_RESET|ERR_EMPTY/.test(line)),
    ).toEqual([]);
  }, 120_000);

  it("stops the run when that is confirmed, and stays as it was", async () => {
    await page.locator("#stop").click();
    await page.locator("#stopCancel").click();
    expect(await text("#state")).toBe("Training");
    await page.locator("#stop").click();
    await page.locator("#stopConfirm").click();
    await shows("#state", /Stopp/);
    const { status, events } = await training.finished;
    expect(status).toBe(130);
    expect(events.at(-1)).toMatchObject({ event: "stopped" });
    await shows("#banner", /The run has stopped after \d+ updates/);
    await shows("#state", /Stopped/);
  }, 120_000);
});

/** Another run of a run's folder: with the run's first updates, and a seed of its own. Gives its mean return as the page has it. */
function copyOf(runDir: string, name: string, updates: number): string {
  const folder = join(runDir, "..", name);
  mkdirSync(folder);
  copyFileSync(join(runDir, "state.json"), join(folder, "state.json"));
  const config = JSON.parse(readFileSync(join(runDir, "config.json"), "utf8")) as { seed: number };
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, seed: updates - 3 }));
  const records = readFileSync(join(runDir, "metrics.jsonl"), "utf8").split("\n").slice(0, updates);
  writeFileSync(join(folder, "metrics.jsonl"), `${records.join("\n")}\n`);
  const { mean_return: meanReturn } = JSON.parse(records.at(-1)!) as { mean_return: number | null };
  return readable(meanReturn);
}

/** As a disk may: bytes in the middle of a run's metrics, which takes its second update away. */
function damage(folder: string): void {
  const records = readFileSync(join(folder, "metrics.jsonl"), "utf8").split("\n");
  records[1] = records[1]!.replace("agent_steps", "\0\0\0");
  writeFileSync(join(folder, "metrics.jsonl"), records.join("\n"));
}

/** The process of a run's coordinator, by its lock. */
function coordinatorOf(runDir: string): number {
  const locks = readdirSync(runDir).filter((name) => name.startsWith("lock."));
  const newest = locks.sort((a, b) => Number(a.slice(5)) - Number(b.slice(5))).at(-1)!;
  return (JSON.parse(readFileSync(join(runDir, newest), "utf8")) as { pid: number }).pid;
}

/** Processes of `anchorage watch` below a process. */
function players(pid: number): string[] {
  const below = (parent: number): number[] => {
    const children = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ").filter(Boolean);
    return children.map(Number).flatMap((child) => [child, ...below(child)]);
  };
  const commands = below(pid).map((child) => {
    try {
      return readFileSync(`/proc/${child}/cmdline`, "utf8");
    } catch {
      return ""; // gone between the two looks
    }
  });
  return commands.filter((command) => command.includes("\0watch\0"));
}
