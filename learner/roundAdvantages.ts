import { traitsOf } from "../shared/algorithms.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import { discountedReturns } from "./discountedReturns.ts";
import { type GaeInput, type GaeOutput, generalizedAdvantages, temporalDifferences } from "./gae.ts";
import { groupAdvantages } from "./groupAdvantages.ts";
import type { Samples } from "./minibatches.ts";
import { importanceWeighted, type VtraceInput, vtrace } from "./vtrace.ts";

/** Where a round's advantages go: arrays [T, N] that are made once. */
export type AdvantageColumns = Pick<Samples, "advantages" | "returns" | "tdErrors">;

/**
 * Fills in what the actions of a round are weighed by and the targets of its values, as the run's algorithm has it: by
 * V-trace where the round's log-ratios are given. Gives what is to be reported of it.
 */
export function fillAdvantages(
  config: RunConfig,
  round: GaeInput & Partial<Pick<VtraceInput, "logRatios">>,
  columns: AdvantageColumns,
): Record<string, number> {
  const { advantages, returns, reported } = advantagesOf(config, round);
  columns.advantages.set(advantages);
  columns.returns.set(returns);
  columns.tdErrors?.set(temporalDifferences(round, config.gamma));
  return reported ?? {};
}

/** `returns` of the kinds without a critic are learned by nobody. */
function advantagesOf(
  config: RunConfig,
  round: GaeInput & Partial<Pick<VtraceInput, "logRatios">>,
): GaeOutput & { readonly reported?: Record<string, number> } {
  const { gamma, gaeLambda, rhoBar, cBar } = config;
  const { advantages: kind } = traitsOf(config.algo);
  if (kind === "group") {
    const { flat, used, ...relative } = groupAdvantages(round, gamma, config.groupSize);
    return { ...relative, reported: { group_flat: flat, group_used: used } };
  }
  if (kind === "returns") {
    const returns = discountedReturns(round, gamma);
    return { advantages: returns, returns };
  }
  const { logRatios } = round;
  if (!logRatios) return generalizedAdvantages(round, gamma, gaeLambda);
  const { advantages, returns } = vtrace({ ...round, logRatios }, { gamma, rhoBar, cBar });
  if (!weighsAdvantages(config)) return { advantages, returns };
  const normalize = config.normalizeAdvantages;
  return { advantages: importanceWeighted({ advantages, logRatios }, { rhoBar, normalize }), returns };
}

/**
 * Whether a round's advantages come weighed for the policy's change, as V-trace's do for an objective that does not weigh by
 * itself. They are then normalised over the round, before that, and not per minibatch after it.
 */
export function weighsAdvantages({ algo, vtrace }: Readonly<Pick<RunConfig, "algo" | "vtrace">>): boolean {
  return vtrace && traitsOf(algo).ratio === false;
}
