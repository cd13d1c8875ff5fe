import { readFileSync } from "node:fs";
import type { NetworkSpec } from "../../learner/networkSpec.ts";
import type { Minibatch, StepMetrics, UpdateEngine, UpdateSettings } from "../../learner/update.ts";

import { updateSettings } from "./updateCases.ts";

/** Made by recordTorch.py: arrays are base64 of little-endian bytes. */
export interface Recorded {
  readonly network: NetworkSpec;
  readonly settings: Partial<UpdateSettings>; // without those of the engine
  readonly minibatchSize: number;
  readonly initial: Readonly<Record<string, string>>;
  readonly steps: readonly ({ readonly [field in keyof Minibatch]: string } & {
    readonly learningRate: number;
    readonly metrics: StepMetrics;
  })[];
  readonly final: Readonly<Record<string, string>>; // float64
}
export const cases = ["torchUpdate", "torchObjectives", "torchReference"].flatMap(
  (name) =>
    (JSON.parse(readFileSync(new URL(`../golden/${name}.json`, import.meta.url), "utf8")) as { cases: Recorded[] })
      .cases,
);

export const bytes = (text: string): ArrayBuffer => Uint8Array.from(Buffer.from(text, "base64")).buffer;
export const floats = (text: string): Float32Array => new Float32Array(bytes(text));

function minibatch(recorded: Recorded, step: Recorded["steps"][number]): Minibatch {
  const { network } = recorded;
  const discrete = network.distribution.kind === "categorical";
  return {
    observations: network.input.frames ? new Uint8Array(bytes(step.observations)) : floats(step.observations),
    actions: discrete ? new Int32Array(bytes(step.actions)) : floats(step.actions),
    logProbs: floats(step.logProbs),
    advantages: floats(step.advantages),
    returns: floats(step.returns),
    values: floats(step.values),
    ...(step.klCoef && { klCoef: floats(step.klCoef) }),
    ...(step.oldPolicy && { oldPolicy: floats(step.oldPolicy) }),
    ...(step.tdErrors && { tdErrors: floats(step.tdErrors) }),
    ...(step.referenceLogRatios && { referenceLogRatios: floats(step.referenceLogRatios) }),
  };
}

export function nameOf({ settings, network }: Recorded): string {
  return `${settings.algo}, ${network.distribution.kind}${network.input.frames ? " on frames" : ""}`;
}

/** Takes the recorded steps: how far off the metrics (relative above 1) and weights are, and how far the weights moved. */
export function replay(
  recorded: Recorded,
  onednn: "on" | "off",
  engineFor: (settings: UpdateSettings) => UpdateEngine,
): { readonly metricsOff: number; readonly weightsOff: number; readonly weightsMoved: number } {
  const { network, minibatchSize } = recorded;
  const engine = engineFor(updateSettings(network, minibatchSize, { ...recorded.settings, onednn, device: "cpu" }));
  engine.setParameters(
    Object.fromEntries(Object.entries(recorded.initial).map(([name, text]) => [name, floats(text)])),
  );
  const off = { metricsOff: 0, weightsOff: 0, weightsMoved: 0 };
  for (const step of recorded.steps) {
    const metrics = engine.step(minibatch(recorded, step), step.learningRate);
    for (const name of Object.keys(step.metrics) as (keyof StepMetrics)[]) {
      const want = step.metrics[name];
      off.metricsOff = Math.max(off.metricsOff, Math.abs(metrics[name] - want) / Math.max(1, Math.abs(want)));
    }
  }
  const weights = engine.parameters();
  engine.close();
  for (const [name, text] of Object.entries(recorded.final)) {
    const initial = floats(recorded.initial[name]!);
    new Float64Array(bytes(text)).forEach((want, i) => {
      off.weightsOff = Math.max(off.weightsOff, Math.abs(weights[name]![i]! - want));
      off.weightsMoved = Math.max(off.weightsMoved, Math.abs(initial[i]! - want));
    });
  }
  return off;
}
