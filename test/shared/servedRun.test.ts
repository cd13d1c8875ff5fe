import { expect, it } from "vitest";
import { resolveRunConfig } from "../../shared/presets.ts";
import { configDigest } from "../../shared/runConfig.ts";
import { readRunConfig, servedRun } from "../../shared/servedRun.ts";
import { smallConfig, startCoordinator, temporaryFolder } from "../coordinator/runningCoordinator.ts";

it("gives the coordinator's run and its config", async () => {
  const { client, runId } = await startCoordinator({ runDir: await temporaryFolder() });
  const { run, config } = await servedRun(client, { coordinatorWaitSeconds: 10 }, AbortSignal.timeout(10_000));
  expect([run.run_id, config]).toEqual([runId, smallConfig]);
});

const config = resolveRunConfig({ env: "CartPole-v1" });
const good = {
  run_id: "r",
  config_json: JSON.stringify(config),
  config_digest: configDigest(config),
  build: "0.0.9+other",
};

it.each([
  ["a field that this build does not know", { config_json: JSON.stringify({ ...config, temperature: 1 }) }],
  ["other defaults", { config_json: JSON.stringify({ ...config, gamma: 0.5 }) }],
  ["no JSON", { config_json: "{" }],
])("refuses %s", (_what, change) => {
  expect(readRunConfig(good)).toEqual(config);
  expect(() => readRunConfig({ ...good, ...change })).toThrow(
    /^\[MISMATCH\] The config of run r .*build is 0\.0\.9\+other, this process's \d+\.\d+\.\d+.*: run the same build/s,
  );
});
