import { type RunConfig, runShape } from "../shared/runConfig.ts";
import { shuffledIndices } from "../shared/seeds.ts";
import type { MinibatchGatherer } from "./minibatches.ts";
import type { UpdateEngine } from "./update.ts";
import type { UpdateMetrics } from "./updateMetrics.ts";

export interface EpochsDone {
  readonly epochs: number; // fewer than the run's where targetKl ended them
  readonly gatherSeconds: number; // of it all, spent on shuffling and gathering
}

/**
 * Epochs x minibatches on one round, reshuffled each epoch. With targetKl they end after the first epoch whose last
 * minibatch had a larger approximate KL.
 */
export function trainEpochs(
  engine: UpdateEngine,
  gatherer: MinibatchGatherer,
  config: RunConfig,
  round: number,
  learningRate: number,
  metrics: UpdateMetrics,
): EpochsDone {
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
      const step = engine.step(minibatch, learningRate);
      metrics.add(step);
      approxKl = step.approxKl;
      began = performance.now();
    }
    if (targetKl !== null && approxKl > targetKl) return { epochs: epoch + 1, gatherSeconds: gatherMs / 1000 };
  }
  return { epochs: config.epochs, gatherSeconds: gatherMs / 1000 };
}
