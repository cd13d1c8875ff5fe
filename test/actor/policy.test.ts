import { describe, expect, it } from "vitest";
import { Policy } from "../../actor/policy.ts";
import type { EnvironmentSpec } from "../../shared/environment.ts";
import { continuousSpec, stackedSpec } from "../shared/sampleRollout.ts";
import { tinyPolicy } from "./tinyPolicy.ts";

describe("Policy", () => {
  it("runs raw observations into distribution parameters and values, in the same arrays every time", async () => {
    const policy = await Policy.load(tinyPolicy(continuousSpec, 1).bytes, continuousSpec, 3, "policy 1");
    const { preferences, logStd, values } = policy;
    policy.observe(new Float64Array(51).fill(0.25));
    await policy.run();
    const first = preferences.slice();
    expect([...(logStd ?? [])]).toEqual(new Array(18).fill(-0.5));
    expect(new Set(values).size).toBe(1); // equal rows
    policy.observe(new Float64Array(51).fill(0.5));
    await policy.run();
    expect(policy.preferences).toBe(preferences);
    expect(preferences).not.toEqual(first);
    await policy.close();
  });

  it("takes uint8 frames as they are and gives logits", async () => {
    const policy = await Policy.load(tinyPolicy(stackedSpec, 1).bytes, stackedSpec, 2, "policy 1");
    policy.observe(new Uint8Array(240).fill(200));
    await policy.run();
    expect([policy.logStd, policy.preferences.length, policy.preferences.every((logit) => logit !== 0)]).toEqual([
      null,
      12,
      true,
    ]);
    await policy.close();
  });

  it("says what is wrong with bytes that are no model", async () => {
    const { bytes } = tinyPolicy(continuousSpec, 1);
    const load = (given: Uint8Array, spec = continuousSpec): Promise<Policy> => Policy.load(given, spec, 2, "policy 7");
    await expect(load(new Uint8Array(100))).rejects.toThrow(/CORRUPT.*policy 7 is not an ONNX model/);
    await expect(load(bytes.subarray(0, bytes.length / 2))).rejects.toThrow(/CORRUPT.*policy 7/);
    await expect(load(new Uint8Array(0))).rejects.toThrow(/CORRUPT/);
  });

  it.each<[string, EnvironmentSpec, RegExp]>([
    [
      "another observation shape",
      { ...continuousSpec, observation: { ...continuousSpec.observation, shape: [18] } },
      /MISMATCH.*observations has shape \[E, 17\], expected \[E, 18\]/,
    ],
    [
      "another dtype",
      { ...continuousSpec, observation: { ...continuousSpec.observation, dtype: "uint8" } },
      /MISMATCH.*observations has dtype float32, expected uint8/,
    ],
    [
      "another kind of action",
      { ...continuousSpec, action: { kind: "discrete", count: 6 } },
      /MISMATCH.*logits is missing/,
    ],
    [
      "another action size",
      { ...continuousSpec, action: { kind: "continuous", low: [-1], high: [1] } },
      /MISMATCH.*mean has shape/,
    ],
  ])("refuses a policy made for %s", async (_what, spec, message) => {
    await expect(Policy.load(tinyPolicy(continuousSpec, 1).bytes, spec, 2, "policy 7")).rejects.toThrow(message);
  });

  it("checks whether bytes are a policy", async () => {
    await Policy.check(tinyPolicy(stackedSpec, 0).bytes, "good.onnx");
    await expect(Policy.check(Buffer.from("not a model"), "bad.onnx")).rejects.toThrow(
      /CORRUPT.*bad.onnx.*[^.]\. If it/,
    );
  });
});
