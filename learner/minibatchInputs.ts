import { distributionWidth } from "./distribution.ts";
import { inputShape } from "./networkSpec.ts";
import { type ExtraInput, extraInputs } from "./objectives/objective.ts";
import { objectiveOf } from "./objectives/ownObjective.ts";
import type { Minibatch, UpdateSettings } from "./update.ts";

export interface InputSpec {
  readonly name: keyof Minibatch;
  readonly shape: readonly number[]; // [] : a number of the whole update, an array of one element
  readonly dtype: "float32" | "int32" | "uint8"; // uint8: frames, which the graph reads as float32
}

/** What this run's minibatches consist of, in the order in which it is fed. */
export function minibatchInputs(settings: UpdateSettings): InputSpec[] {
  const { network, minibatchSize: size } = settings;
  const { distribution } = network;
  const column = (name: keyof Minibatch): InputSpec => ({ name, shape: [size], dtype: "float32" });
  const needs = objectiveOf(settings).needs ?? [];
  const extras = extraInputs.filter((name) => needs.includes(name));
  const extraShape: Record<ExtraInput, readonly number[]> = {
    klCoef: [],
    oldPolicy: [size, distributionWidth(distribution)],
    tdErrors: [size],
    referenceLogRatios: [size],
  };
  return [
    { name: "observations", shape: [size, ...inputShape(network)], dtype: network.input.frames ? "uint8" : "float32" },
    distribution.kind === "categorical"
      ? { name: "actions", shape: [size], dtype: "int32" }
      : { name: "actions", shape: [size, distribution.actions], dtype: "float32" },
    ...(["logProbs", "advantages", "returns", "values"] as const).map(column),
    ...extras.map((name): InputSpec => ({ name, shape: extraShape[name], dtype: "float32" })),
  ];
}
