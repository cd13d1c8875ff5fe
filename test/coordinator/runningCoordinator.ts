import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { controlToken } from "../../coordinator/controlToken.ts";
import { type CoordinatorOptions, type CoordinatorOutcome, runCoordinator } from "../../coordinator/main.ts";
import { CoordinatorClient } from "../../shared/coordinatorClient.ts";
import { DeployConfig } from "../../shared/deployConfig.ts";
import { type Fingerprint, fingerprint } from "../../shared/fingerprint.ts";
import { Lifecycle } from "../../shared/lifecycle.ts";
import { logger } from "../../shared/log.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import type { RunConfig } from "../../shared/runConfig.ts";

process.env.ANCHORAGE_LOG ??= "silent"; // what is refused on purpose here is no news

/** 4 updates of 64 agent steps. */
export const smallConfig: RunConfig = resolveRunConfig({
  env: "CartPole-v1",
  totalSteps: 256,
  envs: 4,
  envBatchSize: 2,
  rolloutSteps: 16,
});
export const stepsPerRound = 64;

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "anchorage-coordinator-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface Running {
  readonly address: string;
  readonly metricsPort: number;
  readonly page: string; // its URL; "": there is none, as by default here
  readonly runId: string;
  readonly client: CoordinatorClient;
  readonly lifecycle: Lifecycle;
  readonly outcome: Promise<CoordinatorOutcome>;
  /** As by SIGTERM: the coordinator goes, the run does not. */
  readonly stop: () => Promise<CoordinatorOutcome>;
}

export interface Given {
  readonly runDir: string;
  readonly config?: RunConfig | null;
  readonly deploy?: Partial<DeployConfig>;
  readonly options?: Partial<CoordinatorOptions>;
}

/** A real coordinator in this process, on a port of its own, with a client; both end with the test. */
export async function startCoordinator(given: Given): Promise<Running> {
  const lifecycle = new Lifecycle(logger("test"));
  const deploy = DeployConfig.parse({ coordinatorListen: "127.0.0.1:0", page: "off", ...given.deploy });
  const config = given.config === undefined ? smallConfig : given.config;
  const ready = new Promise<{ address: string; metricsPort: number; page: string; runId: string }>((resolve) => {
    const options = {
      runDir: given.runDir,
      resume: false,
      lingerMs: 2_000,
      ...given.options,
      lifecycle,
      onReady: resolve,
    };
    outcome = runCoordinator(deploy, config, options);
  });
  var outcome: Promise<CoordinatorOutcome>;
  const serving = await Promise.race([ready, outcome!.then(() => ready)]); // a failed start rejects
  const client = new CoordinatorClient(serving.address, { token: controlToken(given.runDir, null) });
  const stop = () => {
    lifecycle.stop({ kind: "signal", detail: "end of test" });
    return outcome;
  };
  onTestFinished(async () => {
    client.close();
    await stop().catch(() => undefined); // a test that expects the failure has seen it
  });
  return { ...serving, client, lifecycle, outcome: outcome!, stop };
}

export const learnerFingerprint: Fingerprint = fingerprint({
  device: "cpu",
  threads: 1,
  onednn: false,
  tensorflow: "2.21.0",
});

export function registration(role: "ACTOR" | "LEARNER", change: Partial<Fingerprint> = {}) {
  const of = role === "LEARNER" ? learnerFingerprint : fingerprint(null);
  return {
    role,
    host: "here",
    pid: 1,
    build: "test",
    fingerprint_json: JSON.stringify({ ...of, ...change }),
    learner_address: role === "LEARNER" ? "127.0.0.1:9" : "",
    metrics_port: 0,
  };
}

export function report(generation: number, update: number, more: object = {}) {
  const metrics = { mean_return: update * 10, policy_loss: -1 / update };
  return { generation, update, agent_steps: update * stepsPerRound, metrics, ...more };
}
