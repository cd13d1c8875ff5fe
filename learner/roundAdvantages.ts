import { traitsOf } from "../shared/algorithms.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import { discountedReturns } from "./discountedReturns.ts";
import { type GaeInput, generalizedAdvantages, temporalDifferences } from "./gae.ts";
import type { Samples } from "./minibatches.ts";

/** Where a round's advantages go: arrays [T, N] that are made once. */
export type AdvantageColumns = Pick<Samples, "advantages" | "returns" | "tdErrors">;

/** Fills in what the actions of a round are weighed by and the targets of its values, as the run's algorithm has it. */
export function fillAdvantages(config: RunConfig, round: GaeInput, columns: AdvantageColumns): void {
  const { gamma, gaeLambda } = config;
  if (traitsOf(config.algo).advantages === "returns") {
    const returns = discountedReturns(round, gamma);
    columns.advantages.set(returns);
    columns.returns.set(returns); // no critic learns from them
  } else {
    const { advantages, returns } = generalizedAdvantages(round, gamma, gaeLambda);
    columns.advantages.set(advantages);
    columns.returns.set(returns);
  }
  columns.tdErrors?.set(temporalDifferences(round, gamma));
}
