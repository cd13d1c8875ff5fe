import { OperatorError } from "../shared/errors.ts";
import { runShape } from "../shared/runConfig.ts";
import { shuffledIndices } from "../shared/seeds.ts";
import type { MinibatchGatherer } from "./minibatches.ts";
import { type MinibatchOutline, refusedMinibatch } from "./refusedMinibatch.ts";
import type { StepMetrics, UpdateEngine } from "./update.ts";
import type { UpdateMetrics } from "./updateMetrics.ts";

export interface EpochsDone {
  readonly epochs: number; // fewer than the run's where targetKl ended them
  readonly gatherSeconds: number; // of it all, spent on shuffling and gathering
}

/**
 * Epochs x minibatches on one round, reshuffled each epoch. With targetKl they end after the first epoch whose last
 * minibatch had a larger approximate KL. Throws RefusedMinibatch where a step's loss or gradient is not finite.
 */
export function trainEpochs(
  engine: UpdateEngine,
  gatherer: MinibatchGatherer,
  outline: MinibatchOutline,
  round: number,
  learningRate: number,
  metrics: UpdateMetrics,
): EpochsDone {
  const { config } = outline.settings;
  const { stepsPerRound, minibatchSize } = runShape(config);
  const { targetKl } = config;
  let gatherMs = 0;
  for (let epoch = 0; epoch < config.epochs; epoch++) {
    let began = performance.now();
    const indices = shuffledIndices(config.seed, round, epoch, stepsPerRound);
    let approxKl = 0;
    for (let from = 0; from < stepsPerRound; from += minibatchSize) {
      const minibatch = gatherer.gather(indices, from);
      gatherMs += performance.now() - began;
      let step: StepMetrics;
      try {
        step = engine.step(minibatch, learningRate);
      } catch (error) {
        if (!(error instanceof OperatorError && error.code === "NUMERIC")) throw error;
        const samples = indices.slice(from, from + minibatchSize);
        const place = { round, epoch, minibatch: from / minibatchSize, learningRate, samples };
        throw refusedMinibatch(error, engine, minibatch, place, outline);
      }
      metrics.add(step);
      approxKl = step.approxKl;
      began = performance.now();
    }
    if (targetKl !== null && approxKl > targetKl) return { epochs: epoch + 1, gatherSeconds: gatherMs / 1000 };
  }
  return { epochs: config.epochs, gatherSeconds: gatherMs / 1000 };
}
