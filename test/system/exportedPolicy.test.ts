import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeEnvBatch } from "../../actor/environments.ts";
import { Policy } from "../../actor/policy.ts";
import { projectRoot } from "../../shared/nativeParts.ts";
import { PythonPackages, testCache } from "../pythonPackages.ts";
import { chromiumFile, openBrowser, overhear, whyNoBrowser } from "./chromium.ts";
import { run, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
afterAll(folder.remove);
const policyFile = join(folder.path, "policy.onnx");
const cache = join(folder.path, "cache");
mkdirSync(cache);
const example = (name: string): string => join(projectRoot, "examples", name);

beforeAll(async () => {
  const runDir = join(folder.path, "run");
  const train = ["train", "--json", "--env", "CartPole-v1", "--total-steps", "30720", "--run-dir", runDir];
  // as a user's shell has it: nothing here keeps onnxruntime from reporting, and its id of the machine would be in this cache
  const env = { XDG_CACHE_HOME: cache, ORT_DISABLE_TELEMETRY: undefined, CI: undefined };
  for (const args of [train, ["export", "--run-dir", runDir, "--output", policyFile]]) {
    const { status, stderr } = await run(args, { env });
    expect(status, stderr.slice(-2000)).toBe(0);
  }
}, 180_000);

it("was trained and exported without a word to onnxruntime's makers, who would have kept an id of this machine", () => {
  expect(readdirSync(cache)).toEqual([]);
});

/** What our own actor computes for one observation. */
async function ownOutputs(observation: readonly number[]): Promise<{ logits: number[]; value: number }> {
  const batch = await makeEnvBatch({ env: "CartPole-v1", envOptions: {}, size: 1 });
  const policy = await Policy.load(readFileSync(policyFile), batch.spec, 1, policyFile);
  policy.observe(Float32Array.from(observation));
  await policy.run();
  const outputs = { logits: [...policy.preferences], value: policy.values[0]! };
  await policy.close();
  batch.close();
  return outputs;
}

function expectClose(got: readonly number[], want: readonly number[]): void {
  expect(got).toHaveLength(want.length);
  for (const [i, value] of want.entries())
    expect(Math.abs(got[i]! - value)).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)));
}

const packages = new PythonPackages("onnxruntime", ["onnxruntime", "gymnasium", "numpy"]);

describe.skipIf(packages.missing)(`in Python${packages.missing ? ` (skipped: ${packages.missing})` : ""}`, () => {
  it("examples/play.py plays Gymnasium's CartPole with what was learned here", () => {
    const printed = packages.prints(readFileSync(example("play.py"), "utf8"), [policyFile]);
    const [, score] = /^return (\d+\.0)\n$/.exec(printed)!;
    expect(Number(score)).toBeGreaterThan(60); // without learning about 10: always the same side
  }, 60_000);

  it("computes the same, and names run, version and environment", async () => {
    const observation = [0.3, -0.8, 0.05, 1.1];
    const program = `
import json, sys, numpy as np, onnxruntime
policy = onnxruntime.InferenceSession(sys.argv[1])
logits, value = policy.run(["logits", "value"], {"observations": np.array([json.loads(sys.argv[2])], np.float32)})
print(json.dumps([logits[0].tolist(), value.tolist(), policy.get_modelmeta().custom_metadata_map]))`;
    const args = [policyFile, JSON.stringify(observation)];
    const [logits, value, metadata] = JSON.parse(packages.prints(program, args)) as [number[], number[], object];
    const own = await ownOutputs(observation);
    expectClose([...logits, ...value], [...own.logits, own.value]);
    expect(metadata).toMatchObject({ "anchorage.version": "30", "anchorage.env": "CartPole-v1" });
  }, 60_000);
});

/** The folder of onnxruntime-web's files, fetched once per machine: 139 MB that only this test needs. */
function onnxruntimeWeb(): { readonly dist: string; readonly missing: string | null } {
  const place = join(testCache, "npm-onnxruntime-web");
  const dist = join(place, "node_modules", "onnxruntime-web", "dist");
  const beside = `${place}.${process.pid}`;
  try {
    if (!existsSync(place)) {
      const flags = ["--prefix", beside, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
      execFileSync("npm", ["install", ...flags, "onnxruntime-web@1.30"], { stdio: "pipe", timeout: 240_000 });
      if (!existsSync(place)) renameSync(beside, place);
    }
    return { dist, missing: null };
  } catch (error) {
    return { dist, missing: `npm cannot get onnxruntime-web: ${String((error as Error).message).slice(0, 300)}` };
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

const web = chromiumFile === undefined ? { dist: "", missing: whyNoBrowser } : onnxruntimeWeb();
const types: Readonly<Record<string, string>> = { html: "text/html", mjs: "text/javascript", wasm: "application/wasm" };

describe.skipIf(web.missing)(`in a browser${web.missing ? ` (skipped: ${web.missing})` : ""}`, () => {
  it("examples/browser.html chooses the action that we would, and asks nobody else", async () => {
    const server = createServer((request, response) => {
      const name = basename(new URL(request.url!, "http://here").pathname);
      const own: Readonly<Record<string, string>> = {
        "policy.onnx": policyFile,
        "browser.html": example("browser.html"),
      };
      const file = own[name] ?? join(web.dist, name);
      response.setHeader("content-type", types[name.split(".").at(-1)!] ?? "application/octet-stream");
      if (name === "favicon.ico") response.writeHead(204).end();
      else if (existsSync(file)) response.end(readFileSync(file));
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const browser = await openBrowser();
    try {
      const page = await browser.newPage();
      const heard = overhear(page);
      await page.goto(`http://${host}/browser.html`);
      await page.waitForFunction('document.body?.textContent.startsWith("push")', null, { timeout: 60_000 });
      const said = (await page.textContent("body"))!;
      const [, action, logits, value] = /^push (left|right); logits (.*); value (.*)$/.exec(said)!;
      const own = await ownOutputs([0.1, 0, 0.05, 0]);
      expectClose([...logits!.split(", "), value].map(Number), [...own.logits, own.value]);
      expect(action).toBe(own.logits[0]! > own.logits[1]! ? "left" : "right");
      expect(heard.errors).toEqual([]);
      expect([...heard.hosts]).toEqual([host]);
    } finally {
      await browser.close();
      server.close();
    }
  }, 120_000);
});
