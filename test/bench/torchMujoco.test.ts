import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { peersPython } from "../../bench/peers.ts";
import { foldBatch, initialMoments } from "../../learner/runningMoments.ts";
import { messageOf } from "../../shared/errors.ts";
import { projectRoot } from "../../shared/nativeParts.ts";
import { missingSafetensors, pythonPrints } from "../learner/pythonSafetensors.ts";
import { numberSource } from "../learner/updateCases.ts";

const peers = join(projectRoot, "bench", "peers");
const golden = join(projectRoot, "test", "golden");

const folded = `
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import numpy as np
from moments import Moments
moments = Moments(3)
for batch in json.loads(sys.argv[2]):
    moments.fold(np.array(batch))
print(json.dumps([moments.count, moments.mean.tolist(), moments.variance.tolist()]))
`;

it("the peer's running statistics are ours", (context) => {
  const reason = missingSafetensors(); // it brings numpy
  if (reason !== null) return context.skip(reason);
  const { normal } = numberSource(5);
  const batches = [4, 1, 9].map((size) => Array.from({ length: size }, () => [1e3 + normal(), 7 * normal(), normal()]));
  const [count, mean, variance] = JSON.parse(pythonPrints(folded, [peers, JSON.stringify(batches)]));
  const ours = batches.reduce(
    (moments, batch) => foldBatch(moments, Float64Array.from(batch.flat())),
    initialMoments(3),
  );
  expect(ours.count).toBeCloseTo(count, 12);
  for (let d = 0; d < 3; d++) {
    expect(ours.mean[d]).toBeCloseTo(mean[d], 9);
    expect(ours.variance[d]).toBeCloseTo(variance[d], 8);
  }
});

it("the peer's ANO, advantages, and scaled rewards and observations are those of the formulas", (context) => {
  let python: string;
  try {
    python = peersPython();
  } catch (error) {
    return context.skip(messageOf(error)); // PyTorch alone is gigabytes
  }
  const check = ["-B", "-W", "ignore", join(projectRoot, "test", "bench", "checkTorchMujoco.py"), peers, golden];
  const off = JSON.parse(execFileSync(python, check, { encoding: "utf8", timeout: 110_000 }));
  expect(off.ano).toBeLessThan(1e-6); // both have float32 in them
  expect(off.advantages).toBeLessThan(1e-6);
  expect(off.rewards).toBeLessThan(1e-9);
  expect(off.observations).toBeLessThan(1e-5); // float32 for the networks
  expect(off.episodes).toBeGreaterThan(8);
  expect(off.counted).toBe(off.episodes);
}, 120_000);
