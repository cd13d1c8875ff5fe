import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { newRunConfig, resumedRunConfig } from "../../cli/runConfigFlags.ts";

const folder = (): string => mkdtempSync(join(tmpdir(), "anchorage-flags-"));

describe("a new run's config", () => {
  it("is the paper's MuJoCo protocol on HalfCheetah-v4 with ANO where nothing is given", () => {
    const config = newRunConfig({});
    expect(config).toMatchObject({
      env: "HalfCheetah-v4",
      algo: "ano",
      epsPos: 0.3,
      envs: 128,
      rolloutSteps: 32,
      epochs: 10,
    });
  });

  it("is the paper's Atari protocol for an Atari game", () => {
    const config = newRunConfig({ env: "Pong-v5" });
    expect(config).toMatchObject({
      envs: 16,
      rolloutSteps: 128,
      epochs: 4,
      epsPos: 0.1,
      entropyCoef: 0.01,
      totalSteps: 6_000_000,
    });
    expect(config.network).toEqual({ kind: "nature", units: 512, activation: "relu", shared: true });
    expect(config.normalizeRewards).toBe(false);
  });

  it("takes the file first, flags over it, --set last", () => {
    const file = join(folder(), "run.yaml");
    writeFileSync(file, "seed: 3\ntotalSteps: 8192\nnetwork:\n  hidden: [64, 64]\n");
    const config = newRunConfig({ config: file, seed: "4", set: ["totalSteps=4096", "network.activation=relu"] });
    expect(config).toMatchObject({ seed: 4, totalSteps: 4096 });
    expect(config.network).toMatchObject({ kind: "mlp", hidden: [64, 64], activation: "relu" });
  });

  it.each([
    [{ set: ["gama=0.9"] }, /gama=0.9 is no setting \(Did you mean "gamma"\?\)/],
    [{ set: ["gamma=high"] }, /gamma: .*\(got "high"\)/],
    [{ set: ["gamma=1.5"] }, /gamma: .*\(got 1\.5\)/],
    [{ algo: "sarsa" }, /algo: .*\(got "sarsa"\)/],
    [{ seed: "one" }, /seed: .*\(got "one"\)/],
    [{ set: ["envBatchSize=48"] }, /envBatchSize=48 does not divide envs=128.*64/],
    [{ set: ["minibatches=3"] }, /minibatches=3 does not divide the round of 4096/],
    [{ set: ["clip=0.3"] }, /clip=0\.3 does nothing: this run's algo, ano, does not read it.*epsPos/],
    [{ algo: "ppo", set: ["epsPos=0.3"] }, /epsPos=0\.3 does nothing: this run's algo, ppo, does not read it.*clip/],
    [{ set: ["gamma"] }, /--set gamma has no "field=value"/],
    [{ config: "nowhere.yaml" }, /--config nowhere\.yaml cannot be read/],
  ])("refuses %j with a message that names field and value", (flags, message) => {
    expect(() => newRunConfig(flags)).toThrow(message);
  });
});

describe("a resumed run's config", () => {
  it("is the stored one, with what is given laid over it for the coordinator to compare", () => {
    const run = folder();
    writeFileSync(
      join(run, "config.json"),
      JSON.stringify(newRunConfig({ algo: "ppo", set: ["clip=0.3"], seed: "9" })),
    );
    expect(resumedRunConfig(run, {})).toEqual(newRunConfig({ algo: "ppo", set: ["clip=0.3"], seed: "9" }));
    expect(resumedRunConfig(run, { totalSteps: "4096" }).totalSteps).toBe(4096);
  });

  it("is an error where there is no run", () => {
    expect(() => resumedRunConfig(folder(), {})).toThrow(/no run to resume.*config\.json/);
  });
});
