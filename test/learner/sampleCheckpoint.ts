import { type CheckpointParts, encodeCheckpoint } from "../../learner/checkpoint.ts";
import { networkSpec, parameterSpecs } from "../../learner/networkSpec.ts";
import { encodeTrainerState, type StateOutline } from "../../learner/trainerState.ts";
import { fingerprint } from "../../shared/fingerprint.ts";
import { configDigest, type RunConfig } from "../../shared/runConfig.ts";
import { cartPoleSpec, sha256Hex, smallRun, stateBytes } from "./syntheticRollout.ts";

/** A whole checkpoint of a tiny run after update 5: two EnvBatches, policy lag 1, every tensor that a run can have. */
export function sampleCheckpoint(): {
  readonly parts: CheckpointParts;
  readonly config: RunConfig;
  readonly bytes: Buffer;
  readonly outline: StateOutline;
} {
  const config = smallRun(2, 8, 1, {
    network: { kind: "mlp", hidden: [3] },
    normalizeObservations: true,
    normalizeRewards: true,
  });
  const network = networkSpec(config, cartPoleSpec);
  const ramp = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => i / 8 - 1);
  const arrays = Object.fromEntries(
    parameterSpecs(network).map(({ name, shape }) => [name, ramp(shape.reduce((product, n) => product * n, 1))]),
  );
  const moments = (n: number) => ({ count: 80, mean: new Float64Array(n), variance: new Float64Array(n).fill(2) });
  const numbers = {
    updates: 5,
    weights: arrays,
    optimizer: { step: 50, m: arrays, v: arrays },
    observations: new Map([4, 5].map((version) => [version, moments(4)])),
    rewards: { moments: moments(1), returns: Float64Array.of(1, 2, 3, 4) },
    klCoef: 0.5,
    reference: { version: 4, weights: arrays, observations: moments(4) },
  };
  const policies = [4, 5].map((version) => {
    const bytes = Buffer.from(`policy ${version}`);
    return { version, digest: sha256Hex(bytes), bytes };
  });
  const starts = [0, 1].map((b) => ({
    round: 5,
    state: { bytes: stateBytes(b, 5), digest: sha256Hex(stateBytes(b, 5)) },
  }));
  const metadata = {
    runId: "run-1",
    config,
    configDigest: configDigest(config),
    fingerprint: fingerprint({ device: "cpu", threads: 1, onednn: false, tensorflow: "2.21.0" }),
    actorFingerprint: fingerprint(null),
    reproducible: true,
    build: "0.1.0+test",
    weightsSha256: "ab".repeat(32),
    agentSteps: 80,
    episodes: 3,
    episodeWindow: [
      [1.5, 10],
      [-2, 20],
    ] as [number, number][],
    environmentSpec: cartPoleSpec,
    counters: { learner_wait_seconds: 1.25 },
  };
  const parts = { metadata, trainer: encodeTrainerState(numbers, network), policies, starts };
  const outline = {
    network,
    environments: 4,
    observationVersions: [4, 5],
    normalizeRewards: true,
    steersKlCoef: true,
    hasReference: true,
  };
  return { parts, config, bytes: Buffer.from(encodeCheckpoint(parts)), outline };
}
