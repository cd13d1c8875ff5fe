import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { shapingCurves } from "../../../cli/report/shaping.ts";
import { writeReport } from "../../../cli/report.ts";
import { anoObjective } from "../../../learner/objectives/ano.ts";
import { madeRun } from "./madeRun.ts";

const browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const flags = { resamples: 50, seed: 1, json: true };
const hostile = `<img src=x onerror="console.error('ran')">, "quoted" & long ${"label ".repeat(12)}`;

let root: string;
let page: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "anchorage-page-"));
  const runs = [1, 2, 3].flatMap((seed) =>
    ["Hopper-v4", "CartPole-v1"].flatMap((env) =>
      ["ano", "ppo"].map((algo) => {
        const name = `${env}-${algo}-${seed}`;
        const returns = [null, 20 + seed, 30 * seed, 40 * seed, 50 * seed];
        madeRun(root, `runs/${name}`, { given: { env, algo, seed }, returns });
        const label = algo === "ano" ? hostile : algo;
        return {
          id: name,
          label,
          environment: env,
          algorithm: algo,
          setting: {},
          seed,
          folder: `runs/${name}`,
          state: "finished",
        };
      }),
    ),
  );
  writeFileSync(join(root, "suite.json"), JSON.stringify({ name: "A suite <of> two", runs }));
  await writeReport([root], { ...flags, out: join(root, "report") });
  page = readFileSync(join(root, "report", "index.html"), "utf8");
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Measured {
  readonly scrollWidth: number;
  readonly outside: readonly string[]; // elements that reach beyond the page, outside of tables that scroll on their own
  readonly charts: number;
  readonly unnamed: number; // charts without a name for a screen reader
  readonly resources: readonly string[];
}

/** Opens the page in a frame of that width in a real browser; what it measured, what it asked for, what the console said. */
async function opened(width: number): Promise<Measured & { asked: readonly string[]; console: readonly string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(request.url === "/report" ? page : frame(width));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const profile = mkdtempSync(join(tmpdir(), "anchorage-chromium-"));
  try {
    const { port } = server.address() as AddressInfo;
    const quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
    const { stdout, stderr } = await execa(
      browser!,
      [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--disable-quic",
        ...quiet,
        `--user-data-dir=${profile}`,
        "--window-size=1400,900",
        "--enable-logging=stderr",
        "--dump-dom",
        `http://127.0.0.1:${port}/`,
      ],
      { timeout: 50_000 },
    );
    const found = /<pre id="measured">(.*?)<\/pre>/s.exec(stdout)?.[1];
    const text = found?.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
    return {
      ...(JSON.parse(text ?? "null") as Measured),
      asked,
      console: stderr.split("\n").filter((line) => line.includes("CONSOLE")),
    };
  } finally {
    server.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

const frame = (width: number): string => `<!doctype html><link rel="icon" href="data:,">
<iframe style="width:${width}px;height:800px;border:0" src="/report"></iframe><script>
addEventListener("load", () => {
  const view = document.querySelector("iframe").contentWindow, inside = view.document;
  for (const closed of inside.querySelectorAll("details")) closed.open = true;
  const all = [...inside.body.querySelectorAll("*")].filter((e) => !e.closest("svg") && !e.parentElement.closest(".table"));
  const charts = [...inside.querySelectorAll("figure > svg")];
  const measured = {
    scrollWidth: inside.documentElement.scrollWidth,
    outside: all.filter((e) => e.getBoundingClientRect().right > ${width} + 0.5).map((e) => e.outerHTML.slice(0, 80)),
    charts: charts.length,
    unnamed: charts.filter((svg) => svg.getAttribute("role") !== "img" || !svg.getAttribute("aria-label")).length,
    resources: view.performance.getEntriesByType("resource").map((entry) => entry.name),
  };
  const pre = Object.assign(document.createElement("pre"), { id: "measured", textContent: JSON.stringify(measured) });
  document.body.replaceChildren(pre);
});
</script>`;

describe.skipIf(browser === undefined)(
  `in a real browser${browser ? "" : " (skipped: no Chromium is installed here)"}`,
  () => {
    it.each([390, 1280])(
      "at %i px nothing overflows, nothing is asked of a host, the console is silent",
      async (width) => {
        const seen = await opened(width);
        expect(seen.outside).toEqual([]);
        expect(seen.scrollWidth).toBe(width);
        expect(seen.charts).toBeGreaterThan(20);
        expect(seen.unnamed).toBe(0);
        expect(seen.resources).toEqual([]);
        expect(seen.asked).toEqual(["/", "/report"]);
        expect(seen.console).toEqual([]);
      },
    );
  },
);

it("is one file: no script, no address outside of the page, and what a label says stays text", () => {
  expect(page).not.toMatch(/<script|<link[^>]+stylesheet|(?:src|href)="(?!#|data:)|url\((?!#)|@import/);
  expect(page).not.toContain("<img");
  expect(page).toContain("A suite &lt;of&gt; two");
});

it("writes its numbers as CSV, quoted where they must be", () => {
  const lines = readFileSync(join(root, "report", "runs.csv"), "utf8").split("\r\n");
  expect(lines).toHaveLength(1 + 12 + 1);
  expect(lines[1]).toContain(`"${hostile.replaceAll('"', '""')}"`);
});

it("refuses to write among other files, and to report nothing", async () => {
  await expect(writeReport([root], { ...flags, out: join(root, "runs") })).rejects.toThrow(
    /holds other files than a report's/,
  );
  const failed = madeRun(mkdtempSync(join(root, "alone-")), "one", { state: "FAILED", failure: "out of memory" });
  await expect(writeReport([failed], { ...flags, out: join(root, "none") })).rejects.toThrow(
    /no finished run to report: .*failed: out of memory/,
  );
});

it("plots the objectives that train: ANO's values and slopes are those of its exact formula", () => {
  const [ano, ppo, spo] = shapingCurves();
  ano!.ratios.forEach((ratio, i) => {
    const { value, derivative } = anoObjective(ratio, 1, 0.2, 0.2);
    expect(Math.abs(ano!.objective[i]! - value)).toBeLessThan(1e-5);
    expect(Math.abs(ano!.slope[i]! - derivative)).toBeLessThan(1e-4);
    // r - (r - 1)^2 / (2 eps), and min(r, 1.2)
    expect(Math.abs(spo!.objective[i]! - (ratio - (ratio - 1) ** 2 / 0.4))).toBeLessThan(1e-5);
    expect(Math.abs(ppo!.objective[i]! - Math.min(ratio, 1.2))).toBeLessThan(1e-6);
  });
});
