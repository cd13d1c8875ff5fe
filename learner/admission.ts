import type { Hello__Output as Hello } from "../proto/gen/anchorage/v1/Hello.ts";
import { EnvironmentSpec } from "../shared/environment.ts";
import { messageOf } from "../shared/errors.ts";
import { type Fingerprint, fingerprintDifferences, parseFingerprint } from "../shared/fingerprint.ts";
import type { Logger } from "../shared/log.ts";
import { quoted } from "../shared/portRefusals.ts";
import { canonicalJson } from "../shared/runConfig.ts";

export interface AdmissionOptions {
  readonly runId: string;
  readonly configDigest: string;
  readonly build: string;
  /** From a checkpoint; null: the first actor decides. */
  readonly spec: EnvironmentSpec | null;
  readonly actorFingerprint: Fingerprint | null;
  readonly log: Logger;
  /** Rollouts of actors of different fingerprints were taken: the run is not reproducible any more. */
  readonly onNotReproducible: (differences: readonly string[]) => void;
}

export interface Refusal {
  readonly reason: "run" | "config" | "build" | "hello" | "spec" | "banned";
  readonly explanation: string;
}

/** More would only mean that one actor takes every lease: a typing error rather than a machine. */
const maxCapacity = 1024;
/** Ids as the coordinator gives them; they go into logs. */
const actorId = /^[\w.-]{1,64}$/;
/** More kinds of machines make a run no less reproducible than two. */
const mostFingerprints = 16;
/** Banned ids kept: a banned actor that registers again has another id, so the list would grow with each. */
const mostBanned = 1000;

/**
 * Which actors may work on the run. The first one's environment spec becomes the run's; all others must describe the
 * same. Another fingerprint is let in, and the run is then not reproducible.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #banned = new Map<string, string>();
  readonly #worked = new Set<string>();
  #spec: EnvironmentSpec | null;
  #fingerprint: Fingerprint | null;
  #announceSpec: (spec: EnvironmentSpec) => void = () => {};
  /** The run's environment, known from the first actor on. */
  readonly spec: Promise<EnvironmentSpec>;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#spec = options.spec;
    this.#fingerprint = options.actorFingerprint;
    this.spec = new Promise((resolve) => {
      this.#announceSpec = resolve;
    });
    if (options.spec !== null) this.#announceSpec(options.spec);
  }

  /** Of the first actor that worked on the run; null: none yet. */
  get actorFingerprint(): Fingerprint | null {
    return this.#fingerprint;
  }
  /** Of all actors whose rollouts this process took, as JSON, each once. */
  get workedWith(): readonly string[] {
    return [...this.#worked];
  }

  /** An actor that misbehaved is not let in again under its id. */
  ban(actorId: string, why: string): void {
    this.#banned.set(actorId, why);
    if (this.#banned.size > mostBanned) this.#banned.delete(this.#banned.keys().next().value!);
  }

  /** null: welcome. */
  refusal(hello: Hello): Refusal | null {
    const { runId, configDigest, build } = this.#options;
    const differs = (reason: Refusal["reason"], what: string, theirs: string, ours: string): Refusal => ({
      reason,
      explanation: `${what} is ${quoted(theirs, 100) || "empty"}, the learner's is ${ours}`,
    });
    if (hello.run_id !== runId) return differs("run", "the actor's run id", hello.run_id, runId);
    // before the config, which another build may read otherwise
    if (hello.build !== build) return differs("build", "the actor's build", hello.build, build);
    if (hello.config_digest !== configDigest)
      return differs("config", "the actor's config digest", hello.config_digest, configDigest);
    if (!actorId.test(hello.actor_id))
      return {
        reason: "hello",
        explanation: `the actor gives no actor_id of the coordinator's ("${quoted(hello.actor_id, 80)}"): it must register first`,
      };
    if (hello.capacity < 1 || hello.capacity > maxCapacity)
      return {
        reason: "hello",
        explanation: `the actor's capacity is ${hello.capacity}, allowed are 1 to ${maxCapacity}`,
      };
    const ban = this.#banned.get(hello.actor_id);
    if (ban !== undefined) return { reason: "banned", explanation: `actor ${hello.actor_id} was sent away: ${ban}` };
    try {
      parseFingerprint(hello.fingerprint_json);
      return this.#wrongSpec(hello.environment_spec_json);
    } catch (error) {
      return { reason: "hello", explanation: messageOf(error) };
    }
  }

  /** A rollout of an admitted actor was taken: only from here on its fingerprint counts. */
  worked(actorId: string, fingerprintJson: string): void {
    if (this.#worked.has(fingerprintJson) || this.#worked.size >= mostFingerprints) return;
    this.#worked.add(fingerprintJson);
    const fingerprint = parseFingerprint(fingerprintJson);
    this.#fingerprint ??= fingerprint;
    const differences = fingerprintDifferences(this.#fingerprint, fingerprint);
    if (differences.length === 0) return;
    this.#options.log.error(
      `this run is NOT REPRODUCIBLE any more: actor ${actorId} differs from the first one: ${differences.join("; ")}`,
    );
    this.#options.onNotReproducible(differences);
  }

  #wrongSpec(json: string): Refusal | null {
    const spec = EnvironmentSpec.parse(JSON.parse(json));
    const contradiction = contradictionIn(spec);
    if (contradiction !== null) return { reason: "spec", explanation: `the actor's environment ${contradiction}` };
    if (this.#spec === null) {
      this.#spec = spec;
      this.#announceSpec(spec);
      return null;
    }
    const known = this.#spec;
    const fields = (Object.keys(known) as (keyof EnvironmentSpec)[]).filter(
      (f) => canonicalJson(spec[f]) !== canonicalJson(known[f]),
    );
    if (fields.length === 0) return null;
    const list = fields.map((f) => `${f} ${canonicalJson(spec[f])} instead of ${canonicalJson(known[f])}`);
    return { reason: "spec", explanation: `the actor's environment differs from the run's: ${list.join(", ")}` };
  }
}

/** What an actor of ours has checked before (actor/environmentChecks.ts): the codec and the network rely on it. */
function contradictionIn({ observation, action }: EnvironmentSpec): string | null {
  const { dtype, shape, frameStack } = observation;
  if (frameStack !== null && (dtype !== "uint8" || shape.length !== 3 || shape[0] !== frameStack))
    return `has frameStack ${frameStack}, but observations of ${dtype} [${shape.join(", ")}]`;
  if (action.kind === "continuous" && action.low.length !== action.high.length)
    return `has ${action.low.length} lowest actions and ${action.high.length} highest`;
  return null;
}
