import { workerData } from "node:worker_threads";
import { move, transferableSymbol, valueSymbol } from "piscina";
import { learnerProto } from "../proto/load.ts";
import type { EnvBatch, EnvironmentSpec } from "../shared/environment.ts";
import { type ErrorCode, OperatorError } from "../shared/errors.ts";
import type { RolloutTiming } from "../shared/rollout.ts";
import { encodeRollout } from "../shared/rolloutCodec.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import { makeEnvBatch } from "./environments.ts";
import { Policy } from "./policy.ts";
import { RolloutCollector, type RolloutOrder } from "./rollout.ts";

export interface WorkerSettings {
  readonly config: RunConfig;
}

export interface RolloutJob extends RolloutOrder {
  readonly leaseId: number;
  readonly policy: Uint8Array; // the snapshot's bytes, on a SharedArrayBuffer: workers only read
}

/** Errors do not keep their class on the way between threads. */
export interface WorkerFailure {
  readonly code: ErrorCode;
  readonly problem: string;
  readonly message: string;
}

export interface CollectedRollout {
  readonly message: Uint8Array; // an ActorMessage, encoded and compressed
  readonly endState: Uint8Array;
  readonly endStateDigest: string;
  readonly timing: RolloutTiming;
}
export type RolloutResult = { readonly rollout: CollectedRollout } | { readonly failure: WorkerFailure };

/** Sessions kept: with policy lag 1 a worker may go back and forth between two versions. A session costs up to 40 MB. */
const policiesKept = ({ policyLag }: RunConfig): number => (policyLag === 0 ? 1 : 2);

/** One rollout worker: an EnvBatch and the newest policies' sessions, kept between rollouts; no state of any rollout. */
class RolloutWorker {
  readonly #config: RunConfig;
  readonly #batch: EnvBatch;
  readonly #collector: RolloutCollector;
  #model = new Uint8Array(0);
  readonly #policies = new Map<string, Policy>(); // by digest, least recently used first

  private constructor(config: RunConfig, batch: EnvBatch) {
    this.#config = config;
    this.#batch = batch;
    this.#collector = new RolloutCollector(config, batch);
  }

  static async make({ config }: WorkerSettings): Promise<RolloutWorker> {
    return new RolloutWorker(
      config,
      await makeEnvBatch({ env: config.env, envOptions: config.envOptions, size: config.envBatchSize }),
    );
  }

  get spec(): EnvironmentSpec {
    return this.#batch.spec;
  }

  async collect(job: RolloutJob): Promise<CollectedRollout> {
    const policy = await this.#policy(job);
    const rollout = await this.#collector.collect(job, policy);
    const message = encodeRollout(rollout, job.leaseId, this.#config, this.spec);
    return {
      message: learnerProto.Learner.service.Collect.requestSerialize({ rollout: message }),
      endState: rollout.endState,
      endStateDigest: message.end_state_digest,
      timing: rollout.timing,
    };
  }

  async #policy({ key, policy: bytes }: RolloutJob): Promise<Policy> {
    const digest = key.policyDigest;
    const kept = this.#policies.get(digest);
    this.#policies.delete(digest);
    // room is made first, so that there is never one session more than are kept
    while (kept === undefined && this.#policies.size >= policiesKept(this.#config)) {
      const [oldest, unused] = this.#policies.entries().next().value!;
      this.#policies.delete(oldest);
      await unused.close();
    }
    const source = `Policy version ${key.policyVersion}`;
    const policy = kept ?? (await Policy.load(this.#own(bytes), this.spec, this.#batch.size, source));
    this.#policies.set(digest, policy);
    return policy;
  }

  /** onnxruntime does not read shared memory. One buffer for all versions: their garbage would be collected late. */
  #own(shared: Uint8Array): Uint8Array {
    if (this.#model.length < shared.length) this.#model = new Uint8Array(shared.length);
    this.#model.set(shared);
    return this.#model.subarray(0, shared.length);
  }
}

let worker: Promise<RolloutWorker> | null = null;
const theWorker = (): Promise<RolloutWorker> => {
  worker ??= RolloutWorker.make(workerData as WorkerSettings);
  return worker;
};

async function outcome<T extends object>(act: () => Promise<T>): Promise<T | { readonly failure: WorkerFailure }> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return { failure: { code: error.code, problem: error.problem, message: error.message } };
  }
}

/** Makes the environments, so that a wrong one shows before any lease is taken; gives their spec. */
export async function describe(): Promise<{ readonly spec: EnvironmentSpec } | { readonly failure: WorkerFailure }> {
  return outcome(async () => ({ spec: (await theWorker()).spec }));
}

/** Collects one rollout. The message's buffer is handed over, not copied. */
export async function collect(job: RolloutJob): Promise<RolloutResult> {
  const result = await outcome(async () => ({ rollout: await (await theWorker()).collect(job) }));
  if ("failure" in result) return result;
  const { message } = result.rollout;
  // a small message may lie in Node's shared pool of buffers, which must not be handed over
  const own = message.byteLength === message.buffer.byteLength ? message : Uint8Array.from(message);
  const value: RolloutResult = { rollout: { ...result.rollout, message: own } };
  return move({ [transferableSymbol]: [own.buffer], [valueSymbol]: value } as never) as unknown as RolloutResult;
}
