import { expect, it } from "vitest";
import { type CoordinatorStart, goingOn } from "../../../coordinator/page/resumeCommand.ts";
import { chromiumFile, openBrowser, whyNoBrowser } from "../../system/chromium.ts";
import { servePage } from "./pageClient.ts";

const byHand = { followed: false, stay: false, address: "127.0.0.1:7400", secure: false, folder: "/data/mine" };
const everywhere = { address: "0.0.0.0:7400", stay: true };

it.each<[string, Partial<CoordinatorStart>, string, string]>([
  ["under `train`", { followed: true }, "train", "anchorage train --resume --run-dir /data/mine"],
  ["by hand", {}, "coordinator", "anchorage coordinator --resume --run-dir /data/mine"],
  ["to stay, on this machine", { stay: true }, "resume", "anchorage resume --run-dir /data/mine"],
  [
    "in a cluster",
    { ...everywhere, secure: true },
    "resume",
    "anchorage resume --tls FOLDER --coordinator localhost:7400",
  ],
  [
    "in one without certificates",
    everywhere,
    "resume",
    "anchorage resume --control-token FILE --coordinator localhost:7400",
  ],
])("a run whose coordinator was started %s goes on by what can reach it", (_, start, goesOnBy, resumeCommand) => {
  expect(goingOn({ ...byHand, ...start })).toEqual({ goesOnBy, resumeCommand });
});

it.skipIf(chromiumFile === undefined)(
  `a stopped run that is still served goes on from the page${whyNoBrowser}`,
  async () => {
    const served = await servePage({ options: { stay: true } });
    const browser = await openBrowser();
    try {
      const page = await browser.newPage();
      await page.goto(served.page);
      await page.locator("#chartReturn", { hasText: "No episode has ended yet." }).waitFor();
      await page.locator("#unlock").click();
      await page.locator("#token").fill(served.token);
      await page.keyboard.press("Enter");
      await page.locator("#stop").click();
      await page.locator("#stopWhat", { hasText: "the coordinator stays" }).waitFor();
      await page.locator("#stopCommand", { hasText: `anchorage resume --run-dir ${served.runDir}` }).waitFor();
      await page.locator("#stopConfirm").click();
      await page.locator("#state", { hasText: "Stopped" }).waitFor();
      await page.locator("#stop").waitFor({ state: "hidden" });
      await page.locator("#resume").click();
      await page.locator("#state", { hasText: "Training" }).waitFor();
      expect((await served.client.getRun()).state).toBe("RUNNING");
    } finally {
      await browser.close();
    }
  },
  60_000,
);
