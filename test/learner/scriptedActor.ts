import { createHash } from "node:crypto";
import { type ClientDuplexStream, credentials } from "@grpc/grpc-js";
import type { ActorMessage } from "../../proto/gen/anchorage/v1/ActorMessage.ts";
import type { Hello } from "../../proto/gen/anchorage/v1/Hello.ts";
import type { LearnerClient } from "../../proto/gen/anchorage/v1/Learner.ts";
import type { LearnerMessage__Output as LearnerMessage } from "../../proto/gen/anchorage/v1/LearnerMessage.ts";
import type { Lease__Output as Lease } from "../../proto/gen/anchorage/v1/Lease.ts";
import { learnerProto } from "../../proto/load.ts";
import { buildId } from "../../shared/build.ts";
import { fingerprint } from "../../shared/fingerprint.ts";
import { clientOptions } from "../../shared/grpcOptions.ts";
import type { Rollout } from "../../shared/rollout.ts";
import { configDigest, type RunConfig } from "../../shared/runConfig.ts";
import { cartPoleSpec, encodeRollout, sha256Hex, syntheticRollout } from "./syntheticRollout.ts";

export interface ActorScript {
  readonly capacity?: number;
  readonly hello?: Partial<Hello>;
  /** What it does with a lease; default: answers it. */
  readonly onLease?: (actor: ScriptedActor, lease: Lease) => void;
  /** Told of the outcomes so far, with each answer. */
  readonly onTaken?: (outcomes: string[]) => void;
  readonly onDrain?: (finished: boolean, reason: string) => void;
}

/**
 * An actor over a real gRPC stream, with an environment of its own: the state is a hash chain over the policies that acted,
 * and the rewards come from it. So a round that is collected with a wrong policy or state changes every later number.
 */
export class ScriptedActor {
  readonly welcomed: Promise<string>; // why it was refused; empty: welcome
  readonly ended: Promise<string>; // how the stream ended
  readonly outcomes: string[] = [];
  readonly leases: Lease[] = [];
  readonly runId: string;
  readonly #config: RunConfig;
  readonly #script: ActorScript;
  readonly #client: LearnerClient;
  readonly #stream: ClientDuplexStream<ActorMessage, LearnerMessage>;
  readonly #states = new Map<string, Uint8Array>(); // digest -> state
  drained: { finished: boolean; reason: string } | null = null;

  constructor(address: string, runId: string, config: RunConfig, id: string, script: ActorScript = {}) {
    this.runId = runId;
    this.#config = config;
    this.#script = script;
    this.#client = new learnerProto.Learner(address, credentials.createInsecure(), clientOptions);
    this.#stream = this.#client.collect();
    let welcome: (refused: string) => void = () => {};
    this.welcomed = new Promise((resolve) => {
      welcome = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.#stream.on("end", () => resolve("end"));
      this.#stream.on("error", (error) => resolve(error.message));
    });
    this.#stream.on("data", (message: LearnerMessage) => {
      if (message.welcome) welcome(message.welcome.refused);
      else if (message.lease) this.#lease(message.lease);
      else if (message.taken) {
        this.outcomes.push(message.taken.outcome);
        script.onTaken?.(this.outcomes);
      } else if (message.drain) {
        this.drained = message.drain;
        script.onDrain?.(message.drain.finished, message.drain.reason);
      }
    });
    this.#stream.write({
      hello: {
        run_id: runId,
        actor_id: id,
        capacity: script.capacity ?? 1,
        build: buildId(),
        fingerprint_json: JSON.stringify(fingerprint(null)),
        environment_spec_json: JSON.stringify(cartPoleSpec),
        config_digest: configDigest(config),
        ...script.hello,
      },
    });
  }

  #lease(lease: Lease): void {
    this.leases.push(lease);
    if (this.#script.onLease) this.#script.onLease(this, lease);
    else this.answer(lease);
  }

  /** The rollout that this lease asks for. */
  play(lease: Lease): Rollout {
    const policy = lease.policy!;
    const start = lease.round === 0 ? Buffer.from(`reset ${lease.env_batch}`) : this.#startOf(lease);
    const end = createHash("sha256").update(start).update(policy.digest).digest();
    const key = {
      runId: this.runId,
      generation: lease.generation,
      envBatch: lease.env_batch,
      round: lease.round,
      policyVersion: policy.version,
      policyDigest: policy.digest,
    };
    const rewards = Float32Array.from({ length: 8 }, (_, i) => end[i]! / 256);
    const rollout = { ...syntheticRollout(key, "actor"), rewards, endState: Uint8Array.from(end) };
    this.#states.set(sha256Hex(end), end);
    return rollout;
  }

  answer(lease: Lease): void {
    this.send(this.play(lease), lease.lease_id);
  }

  send(rollout: Rollout, leaseId: number): void {
    this.#stream.write({ rollout: encodeRollout(rollout, leaseId, this.#config, cartPoleSpec) });
  }

  sendRaw(message: ActorMessage): void {
    this.#stream.write(message);
  }

  returnLease(lease: Lease, reason: string, needState = false): void {
    this.#stream.write({ return_lease: { lease_id: lease.lease_id, reason, need_state: needState } });
  }

  /** As a killed process looks to the learner. */
  kill(): void {
    this.#stream.cancel();
    this.#client.close();
  }

  leaveNicely(): void {
    this.#stream.end();
  }

  #startOf(lease: Lease): Uint8Array {
    const state = lease.state.length > 0 ? Uint8Array.from(lease.state) : this.#states.get(lease.state_digest);
    if (state === undefined)
      throw new Error(`the lease of EnvBatch ${lease.env_batch} came without a state that this actor has`);
    if (sha256Hex(state) !== lease.state_digest) throw new Error("the lease's state has another digest than it says");
    return state;
  }
}
