import type { Lease__Output as LeaseMessage } from "../proto/gen/anchorage/v1/Lease.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { sha256Hex } from "../shared/rolloutCodec.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import type { ActorMetrics } from "./metrics.ts";
import type { HeldPolicy } from "./policyChunks.ts";
import type { PolicyReceiver } from "./policyReceiver.ts";
import type { RolloutPool } from "./rolloutPool.ts";
import type { CollectedRollout } from "./rolloutWorker.ts";
import { StateCache } from "./stateCache.ts";
import { WorkerSlots } from "./workerSlots.ts";

/** What became of a lease. */
export type LeaseAnswer =
  | { readonly rollout: CollectedRollout }
  | { readonly returned: string; readonly needState: boolean };

export interface LeaseRunnerOptions {
  readonly runId: string;
  readonly config: RunConfig;
  readonly pool: Pick<RolloutPool, "collect" | "workers">;
  readonly policies: Pick<PolicyReceiver, "get" | "hold" | "newestVersion">;
  readonly actorId: () => string;
  readonly metrics: ActorMetrics;
  readonly log: Logger;
}

export interface LeaseContext {
  /** Aborts where the lease must not be begun any more; its reason's message is the reason for giving it back. */
  readonly signal: AbortSignal;
  readonly onNeeded: () => void;
}

/** The same actor failing this often in a row, on whatever leases, will not do better by going on. */
const failuresAllowed = 3;
/** Of a lease's time, so that the learner hears of a missing policy before the lease expires. */
const policyShare = 0.4;
const longestPolicyMs = 20_000;

/** Answers leases: state, policy, then a worker. Knows nothing of streams; keeps the states that it returned. */
export class LeaseRunner {
  readonly #options: LeaseRunnerOptions;
  readonly #states = new StateCache();
  readonly slots: WorkerSlots;
  #failures = 0;
  /** Set once the actor should give up: too many failures in a row. */
  failed: OperatorError | null = null;
  /** Collected since this process was started. */
  agentSteps = 0;

  constructor(options: LeaseRunnerOptions) {
    this.#options = options;
    const { metrics, pool } = options;
    this.slots = new WorkerSlots(pool.workers, (seconds) => metrics.workerSeconds.inc({ part: "idle" }, seconds));
  }

  /** Never rejects: whatever happens is an answer. */
  async answer(lease: LeaseMessage, { signal, onNeeded }: LeaseContext): Promise<LeaseAnswer> {
    let working = false;
    let policy: HeldPolicy | null = null;
    try {
      const state = this.#state(lease);
      if (state === "missing") return { returned: "need_state", needState: true };
      policy = await this.#policy(lease, signal, onNeeded);
      await this.slots.acquire(signal);
      working = true; // from here on an abort does not stop it: the worker's time is spent anyway
      try {
        return { rollout: await this.#collect(lease, state, policy.bytes) };
      } finally {
        this.slots.release();
      }
    } catch (error) {
      if (!working && signal.aborted) return { returned: messageOf(signal.reason), needState: false };
      if (!working) return { returned: `policy_unavailable: ${messageOf(error)}`, needState: false };
      return this.#failure(lease, error);
    } finally {
      policy?.release();
    }
  }

  /** The start state: from the lease, from the cache, or null for round 0. */
  #state({ env_batch, round, state_digest, state }: LeaseMessage): Uint8Array | null | "missing" {
    const { metrics, log } = this.#options;
    if (state_digest === "") return null;
    const key = { envBatch: env_batch, round, digest: state_digest };
    if (state.length > 0) {
      if (sha256Hex(state) !== state_digest) {
        log.warn(`the state of EnvBatch ${env_batch}, round ${round} does not have its digest`);
        return "missing";
      }
      metrics.stateCache.inc({ result: "lease" });
      const own = Uint8Array.from(state); // of its own buffer: the message's holds more, and would go to the worker whole
      this.#states.set(key, own);
      return own;
    }
    const cached = this.#states.get(key);
    metrics.stateCache.inc({ result: cached === null ? "miss" : "hit" });
    return cached ?? "missing";
  }

  async #policy(
    { policy, expires_in_ms }: LeaseMessage,
    signal: AbortSignal,
    onNeeded: () => void,
  ): Promise<HeldPolicy> {
    const { policies, metrics } = this.#options;
    const { version, digest } = policy!;
    metrics.policyLag.set(Math.max(0, policies.newestVersion - version));
    const here = policies.hold(digest);
    if (here !== null) {
      metrics.policySeconds.observe(0);
      return here;
    }
    const began = performance.now();
    const patienceMs = Math.min(longestPolicyMs, expires_in_ms * policyShare);
    const held = await policies.get({ version, digest, patienceMs, onNeeded, signal });
    metrics.policySeconds.observe((performance.now() - began) / 1000);
    return held;
  }

  async #collect(lease: LeaseMessage, state: Uint8Array | null, policy: Uint8Array): Promise<CollectedRollout> {
    const { runId, config, pool, actorId, metrics } = this.#options;
    const { lease_id, generation, env_batch, round } = lease;
    const { version, digest } = lease.policy!;
    const key = { runId, generation, envBatch: env_batch, round, policyVersion: version, policyDigest: digest };
    const rollout = await pool.collect({ leaseId: lease_id, key, actorId: actorId(), state, policy });
    this.#states.set({ envBatch: env_batch, round: round + 1, digest: rollout.endStateDigest }, rollout.endState);
    this.#failures = 0;
    const { environmentSeconds, inferenceSeconds, totalSeconds } = rollout.timing;
    const steps = config.envBatchSize * config.rolloutSteps;
    metrics.agentSteps.inc(steps);
    this.agentSteps += steps;
    metrics.workerSeconds.inc({ part: "environment" }, environmentSeconds);
    metrics.workerSeconds.inc({ part: "inference" }, inferenceSeconds);
    metrics.workerSeconds.inc({ part: "other" }, Math.max(0, totalSeconds - environmentSeconds - inferenceSeconds));
    return rollout;
  }

  /** The learner counts these, too, and ends the run where the same EnvBatch fails everywhere. */
  #failure(lease: LeaseMessage, error: unknown): LeaseAnswer {
    const problem = error instanceof OperatorError ? error.problem : `a rollout worker failed: ${messageOf(error)}`;
    this.#options.log.error({ err: error }, `EnvBatch ${lease.env_batch}, round ${lease.round} failed`);
    this.#failures++;
    if (this.#failures >= failuresAllowed && this.failed === null)
      this.failed =
        error instanceof OperatorError
          ? error
          : new OperatorError("ENVIRONMENT", `${problem}.`, "See the log above.", { cause: error });
    return { returned: `environment_failed: ${problem}`, needState: false };
  }
}
