import { traitsOf } from "../shared/algorithms.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import { discountedReturns } from "./discountedReturns.ts";
import { type GaeInput, generalizedAdvantages, temporalDifferences } from "./gae.ts";
import type { Samples } from "./minibatches.ts";
import { type VtraceInput, vtrace } from "./vtrace.ts";

/** Where a round's advantages go: arrays [T, N] that are made once. */
export type AdvantageColumns = Pick<Samples, "advantages" | "returns" | "tdErrors">;

/**
 * Fills in what the actions of a round are weighed by and the targets of its values, as the run's algorithm has it: by
 * V-trace where the round's log-ratios are given.
 */
export function fillAdvantages(
  config: RunConfig,
  round: GaeInput & Partial<Pick<VtraceInput, "logRatios">>,
  columns: AdvantageColumns,
): void {
  const { gamma, gaeLambda, rhoBar, cBar } = config;
  const { advantages: kind, ratio = true } = traitsOf(config.algo);
  if (kind === "returns") {
    const returns = discountedReturns(round, gamma);
    columns.advantages.set(returns);
    columns.returns.set(returns); // no critic learns from them
  } else {
    const { logRatios } = round;
    const { advantages, returns } = logRatios
      ? vtrace({ ...round, logRatios }, { gamma, rhoBar, cBar, weighted: !ratio })
      : generalizedAdvantages(round, gamma, gaeLambda);
    columns.advantages.set(advantages);
    columns.returns.set(returns);
  }
  columns.tdErrors?.set(temporalDifferences(round, gamma));
}
