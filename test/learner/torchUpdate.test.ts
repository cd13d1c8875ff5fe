import { describe, expect, it } from "vitest";
import { CompiledUpdate } from "../../learner/compiledUpdate.ts";
import { EagerUpdate } from "../../learner/eagerUpdate.ts";
import { cases, nameOf, replay } from "./recordedTorch.ts";

describe.each(cases.map((recorded) => [nameOf(recorded), recorded] as const))(
  "PyTorch's five float64 steps (%s)",
  (_, recorded) => {
    it("are the compiled update's in float32: weights within 3e-6 after moving by 3e-3", () => {
      const off = replay(recorded, "off", (settings) => new CompiledUpdate(settings));
      expect(off.metricsOff).toBeLessThan(1e-5);
      expect(off.weightsOff).toBeLessThan(3e-6);
      expect(off.weightsMoved).toBeGreaterThan(2e-3);
    });

    it("are eager tfjs's", () => {
      const off = replay(recorded, "off", (settings) => new EagerUpdate(settings));
      expect(off.metricsOff).toBeLessThan(1e-5);
      expect(off.weightsOff).toBeLessThan(3e-6);
    });
  },
);
