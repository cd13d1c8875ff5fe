import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { missingSafetensors, pythonPrints } from "./pythonSafetensors.ts";
import { sampleCheckpoint } from "./sampleCheckpoint.ts";

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
  const reason = missingSafetensors();
  if (reason !== null) return context.skip(reason);
  const { bytes, parts } = sampleCheckpoint();
  const folder = mkdtempSync(join(tmpdir(), "anchorage-safetensors-"));
  const file = join(folder, "checkpoint.ckpt");
  writeFileSync(file, bytes);
  const read = JSON.parse(pythonPrints(program, [file]));
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
