import { expect, it } from "vitest";
import { CompiledUpdate } from "../../learner/compiledUpdate.ts";
import { cases, nameOf, replay } from "./recordedTorch.ts";

// Its own file: a process has one oneDNN setting, and test/learner/torchUpdate.test.ts has the other.
it.each(cases.map((recorded) => [nameOf(recorded), recorded] as const))(
  "with oneDNN's kernels the compiled update takes PyTorch's steps, too (%s)",
  (_, recorded) => {
    const off = replay(recorded, "on", (settings) => new CompiledUpdate(settings));
    expect(off.metricsOff).toBeLessThan(1e-5);
    expect(off.weightsOff).toBeLessThan(3e-6);
    expect(off.weightsMoved).toBeGreaterThan(2e-3);
  },
);
