import type { RunConfig } from "../shared/runConfig.ts";
import type { InitialPolicy } from "./initialPolicy.ts";
import { initialWeights } from "./initialWeights.ts";
import type { NetworkSpec } from "./networkSpec.ts";
import { initialMoments } from "./runningMoments.ts";
import type { TrainerNumbers } from "./trainerState.ts";
import type { ParameterArrays } from "./update.ts";

/** What a trainer begins with: weights from the run's seed, or those of an earlier policy, whose statistics go on. */
export function freshNumbers(
  config: Readonly<Pick<RunConfig, "seed" | "envs" | "normalizeRewards">>,
  network: NetworkSpec,
  begun: InitialPolicy | null,
): Omit<TrainerNumbers, "klCoef" | "reference"> {
  const weights = begun?.weights ?? initialWeights(network, config.seed);
  const zeros = (): ParameterArrays =>
    Object.fromEntries(Object.entries(weights).map(([name, data]) => [name, new Float32Array(data.length)]));
  const dimensions = network.input.shape.reduce((product, extent) => product * extent, 1);
  const returns = new Float64Array(config.envs);
  return {
    updates: 0,
    weights,
    optimizer: { step: 0, m: zeros(), v: zeros() },
    observations: network.input.normalize && new Map([[0, begun?.observations ?? initialMoments(dimensions)]]),
    rewards: config.normalizeRewards ? { moments: begun?.rewards ?? initialMoments(1), returns } : null,
  };
}
