import { distributionWidth } from "./distribution.ts";
import type { Samples } from "./minibatches.ts";
import type { NetworkSpec } from "./networkSpec.ts";
import type { ExtraInput } from "./objectives/objective.ts";
import type { RoundBatch } from "./roundBatch.ts";

/** Where a round's samples lie, made once: the assembled round's own arrays, and those that are computed from it. */
export function roundSamples(
  { observations, actions, logProbs, values }: Omit<RoundBatch, "waves">,
  network: NetworkSpec,
  needs: readonly ExtraInput[],
): Samples {
  const count = logProbs.length;
  const width = distributionWidth(network.distribution);
  return {
    observations: network.input.normalize ? new Float32Array(observations.length) : observations,
    actions,
    logProbs,
    values,
    advantages: new Float32Array(count),
    returns: new Float32Array(count),
    ...(needs.includes("klCoef") && { klCoef: new Float32Array(1) }),
    ...(needs.includes("oldPolicy") && { oldPolicy: new Float32Array(count * width) }),
    ...(needs.includes("tdErrors") && { tdErrors: new Float32Array(count) }),
    ...(needs.includes("referenceLogRatios") && { referenceLogRatios: new Float32Array(count) }),
  };
}
