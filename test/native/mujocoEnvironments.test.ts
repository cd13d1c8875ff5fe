import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { mujocoEnvironment, mujocoEnvironmentIds, mujocoOptions } from "../../native/mujocoEnvironments.ts";
import { EnvironmentSpec } from "../../shared/environment.ts";
import { projectRoot } from "../../shared/nativeParts.ts";
import { describeNatively } from "./mujocoBatch.ts";

const messageOf = (make: () => unknown): string => {
  try {
    make();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
};

describe("the registry of MuJoCo environments", () => {
  it("has the nine robots in versions 4 and 5, and Pusher in version 5", () => {
    expect(mujocoEnvironmentIds).toHaveLength(19);
    expect(mujocoEnvironmentIds).toContain("HalfCheetah-v4");
    expect(mujocoEnvironmentIds).not.toContain("Pusher-v4");
  });

  it.each(mujocoEnvironmentIds)("%s: the spec is what the robot model says", (id) => {
    const { spec } = mujocoEnvironment(id, {});
    EnvironmentSpec.parse(spec);
    const native = describeNatively(id);
    expect(spec.observation).toEqual({ dtype: native.dtype, shape: native.shape, frameStack: null });
    expect(spec.action).toEqual({ kind: "continuous", low: native.actionLow, high: native.actionHigh });
    expect(spec.framesPerStep).toBe(native.framesPerStep);
  });

  it("knows the observation's length under every flag", () => {
    for (const id of mujocoEnvironmentIds)
      for (const [name, value] of Object.entries(mujocoOptions(id).parse({}))) {
        if (typeof value !== "boolean") continue;
        const options = { [name]: !value };
        const { spec } = mujocoEnvironment(id, options);
        expect(spec.observation.shape, `${id} ${name}`).toEqual(describeNatively(id, options).shape);
      }
  });

  it("has every option in the documentation", () => {
    const page = readFileSync(join(projectRoot, "docs", "environments.md"), "utf8");
    const names = mujocoEnvironmentIds.flatMap((id) => Object.keys(mujocoOptions(id).shape));
    expect([...new Set(names)].filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });

  it("has Gymnasium's time limits, and takes another", () => {
    const limits = ["Ant-v5", "Reacher-v4", "Pusher-v5"].map((id) => mujocoEnvironment(id, {}).spec.maxEpisodeSteps);
    expect(limits).toEqual([1000, 50, 100]);
    expect(mujocoEnvironment("Ant-v5", { maxEpisodeSteps: 27 }).spec.maxEpisodeSteps).toBe(27);
  });
});

describe("what cannot be made is refused with name, value and remedy", () => {
  it("an unknown environment", () => {
    const message = messageOf(() => mujocoEnvironment("HalfCheeta-v4", {}));
    expect(message).toMatch(/^\[ENVIRONMENT\] There is no MuJoCo environment "HalfCheeta-v4"/);
    expect(message).toContain('Did you mean "HalfCheetah-v4"?');
  });

  it("Pusher-v4, with the reason", () => {
    expect(messageOf(() => mujocoEnvironment("Pusher-v4", {}))).toMatch(/MuJoCo 3.*Use Pusher-v5/);
  });

  it.each([
    [
      "Ant-v5",
      { ctrlCostWeigth: 1 },
      /envOptions\.ctrlCostWeigth = 1: Ant-v5 has no such option\. Did you mean "ctrlCostWeight"\?/,
    ],
    ["Ant-v5", { useContactForces: true }, /envOptions\.useContactForces = true: Ant-v5 has no such option/],
    ["Ant-v4", { frameSkip: 3 }, /envOptions\.frameSkip = 3: Ant-v4 has no such option/],
    ["Ant-v4", { ctrlCostWeight: "0.5" }, /envOptions\.ctrlCostWeight = "0\.5" is not possible for Ant-v4: .*number/],
    ["Ant-v4", { terminateWhenUnhealthy: 1 }, /envOptions\.terminateWhenUnhealthy = 1 is not possible.*boolean/],
    ["Hopper-v5", { resetNoiseScale: -1 }, /envOptions\.resetNoiseScale = -1 is not possible.*>=0/],
    ["Hopper-v5", { frameSkip: 2.5 }, /envOptions\.frameSkip = 2\.5 is not possible/],
    ["Hopper-v5", { maxEpisodeSteps: 0 }, /envOptions\.maxEpisodeSteps = 0 is not possible/],
    [
      "Hopper-v5",
      { healthyZMin: 3, healthyZMax: 2 },
      /envOptions\.healthyZMin = 3 is not below envOptions\.healthyZMax = 2/,
    ],
    ["InvertedPendulum-v4", { resetNoiseScale: 0.1 }, /has no such option.*It has: maxEpisodeSteps\./],
  ])("%s with %j", (id, options, expected) => {
    const message = messageOf(() => mujocoEnvironment(id, options));
    expect(message).toMatch(/^\[CONFIG\]/);
    expect(message).toMatch(expected);
  });
});
