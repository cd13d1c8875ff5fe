import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { sampleCheckpoint } from "./sampleCheckpoint.ts";

const cache = process.env.ANCHORAGE_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "anchorage");
const python = process.env.ANCHORAGE_PYTHON || "python3";
const packages = join(cache, "python-safetensors");

/** Why Python cannot be asked here; null: it can. pip's words, where it has no index to ask. */
function missing(): string | null {
  try {
    if (!existsSync(packages))
      execFileSync(python, ["-m", "pip", "install", "-q", "--target", packages, "safetensors==0.6.2", "numpy"], {
        stdio: "pipe",
        timeout: 100_000,
      });
    return null;
  } catch (error) {
    rmSync(packages, { recursive: true, force: true });
    return `${python} has no safetensors and pip cannot get it: ${String((error as Error).message).slice(0, 300)}`;
  }
}

const program = `
import json, sys
from safetensors import safe_open
with safe_open(sys.argv[1], "np") as file:
    tensors = {}
    for name in file.keys():
        tensor = file.get_tensor(name)
        tensors[name] = [str(tensor.dtype), list(tensor.shape), float(tensor.astype("float64").sum())]
    print(json.dumps({"metadata": file.metadata(), "tensors": tensors}))
`;

it("Python's safetensors reads every tensor and all metadata of a checkpoint", (context) => {
  const reason = missing();
  if (reason !== null) return context.skip(reason);
  const { bytes, parts } = sampleCheckpoint();
  const folder = mkdtempSync(join(tmpdir(), "anchorage-safetensors-"));
  const file = join(folder, "checkpoint.ckpt");
  writeFileSync(file, bytes);
  const env = { ...process.env, PYTHONPATH: packages };
  const read = JSON.parse(execFileSync(python, ["-c", program, file], { env, encoding: "utf8" }));
  rmSync(folder, { recursive: true });
  expect(JSON.parse(read.metadata.updates)).toBe(5);
  expect(JSON.parse(read.metadata.config)).toEqual(parts.metadata.config);
  expect(read.tensors["trainer.adam.step"]).toEqual(["int64", [1], 50]);
  expect(read.tensors["trainer.rewards.returns"]).toEqual(["float64", [4], 10]);
  expect(read.tensors["policy.5"]).toEqual([
    "uint8",
    [8],
    [..."policy 5"].reduce((sum, c) => sum + c.charCodeAt(0), 0),
  ]);
  for (const [name, { shape, dtype, data }] of Object.entries(parts.trainer.tensors)) {
    if (dtype !== "F32") continue;
    const sum = new Float32Array(data.slice().buffer).reduce((a, b) => a + b, 0); // eighths: exact in any order
    expect(read.tensors[`trainer.${name}`]).toEqual(["float32", shape, sum]);
  }
}, 120_000);
