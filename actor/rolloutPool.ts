import "./withoutTelemetry.ts";

import { Piscina } from "piscina";
import type { EnvironmentSpec } from "../shared/environment.ts";
import { OperatorError } from "../shared/errors.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import { workerFile } from "../shared/workerFile.ts";
import type { CollectedRollout, RolloutJob, RolloutResult, WorkerFailure, WorkerSettings } from "./rolloutWorker.ts";

type Description = { readonly spec: EnvironmentSpec } | { readonly failure: WorkerFailure };

/** The worker threads, each with an EnvBatch and one core's worth of inference. A job runs in any of them, one at a time each. */
export class RolloutPool {
  readonly workers: number;
  readonly spec: EnvironmentSpec;
  readonly #pool: Piscina<RolloutJob | undefined, unknown>;

  private constructor(pool: Piscina<RolloutJob | undefined, unknown>, workers: number, spec: EnvironmentSpec) {
    this.#pool = pool;
    this.workers = workers;
    this.spec = spec;
  }

  /** Starts the workers and makes the environments. Rejects with what makeEnvBatch throws. */
  static async start(config: RunConfig, workers: number): Promise<RolloutPool> {
    const settings: WorkerSettings = { config };
    const pool = new Piscina<RolloutJob | undefined, unknown>({
      filename: workerFile("actor/rolloutWorker"),
      minThreads: workers,
      maxThreads: workers,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      workerData: settings,
      recordTiming: false,
    });
    try {
      const description = (await pool.run(undefined, { name: "describe" })) as Description;
      if ("failure" in description) throw asError(description.failure);
      return new RolloutPool(pool, workers, description.spec);
    } catch (error) {
      await pool.destroy();
      throw error;
    }
  }

  /** Rejects with the worker's OperatorError. */
  async collect(job: RolloutJob): Promise<CollectedRollout> {
    const result = (await this.#pool.run(job, { name: "collect" })) as RolloutResult;
    if ("failure" in result) throw asError(result.failure);
    return result.rollout;
  }

  /** Ends the workers, also in the middle of a rollout. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** The worker's error again, with its whole message. */
function asError({ code, problem, message }: WorkerFailure): OperatorError {
  return new OperatorError(code, problem, message.slice(`[${code}] ${problem} `.length));
}
