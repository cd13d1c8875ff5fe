import { OperatorError } from "../shared/errors.ts";
import type { PolicySnapshot } from "../shared/policySnapshot.ts";
import { runShape } from "../shared/runConfig.ts";
import { freshNumbers } from "./freshNumbers.ts";
import { initialPolicy } from "./initialPolicy.ts";
import { trainsCriticOnly } from "./loss.ts";
import { trainEpochs } from "./minibatchEpochs.ts";
import { MinibatchGatherer, type Samples } from "./minibatches.ts";
import { type InputSpec, minibatchInputs } from "./minibatchInputs.ts";
import { type NetworkSpec, networkSpec } from "./networkSpec.ts";
import type { Objective } from "./objectives/objective.ts";
import { objectiveOf } from "./objectives/ownObjective.ts";
import { normaliseRows, ObservationStatistics } from "./observationStatistics.ts";
import { exportPolicy } from "./onnxExport.ts";
import { logRatios, meanKl, policyRows } from "./policyRows.ts";
import { ReferencePolicy } from "./referencePolicy.ts";
import { RewardScaling } from "./rewardScaling.ts";
import { fillAdvantages, weighsAdvantages } from "./roundAdvantages.ts";
import { type RoundBatch, RoundBatchBuilder, type TrainingRollout } from "./roundBatch.ts";
import { roundSamples } from "./roundSamples.ts";
import { StageClock } from "./stageClock.ts";
import type { InitialFile, TrainerSettings, TrainerState, UpdateResult } from "./trainer.ts";
import { decodeTrainerState, encodeTrainerState, type TrainerNumbers } from "./trainerState.ts";
import { trustRegionStep } from "./trustRegion.ts";
import type { ParameterArrays, UpdateEngine, UpdateSettings } from "./update.ts";
import { explainedVariance, meanLag, UpdateMetrics } from "./updateMetrics.ts";
import { weightsSha256 } from "./weightsHash.ts";

/** The update engine's settings of a run. @param objective the user's own, where the run's algo is a path */
export function updateSettings(
  { config, spec, device, threads, onednn }: TrainerSettings,
  objective: Objective | null = null,
): UpdateSettings {
  const { minibatchSize } = runShape(config);
  const normalizeAdvantages = config.normalizeAdvantages && !weighsAdvantages(config);
  const own = { ...(objective && { objective }), normalizeAdvantages };
  return { ...config, ...own, network: networkSpec(config, spec), minibatchSize, device, threads, onednn };
}

/**
 * Everything between a round's rollouts and the next policy version, on the calling thread: assembly, reward scaling, GAE,
 * epochs x minibatches, statistics, export. Not usable after `update` threw: the round is then half trained.
 */
export class RoundTrainer {
  readonly #settings: TrainerSettings;
  readonly #network: NetworkSpec;
  readonly #inputs: readonly InputSpec[];
  readonly #engine: UpdateEngine;
  readonly #builder: RoundBatchBuilder;
  readonly #samples: Samples;
  readonly #gatherer: MinibatchGatherer;
  #observations: ObservationStatistics | null = null;
  #rewards: RewardScaling | null = null;
  #reference: ReferencePolicy | null = null;
  readonly #objective: Objective;
  #klCoef: number;
  #updates = 0;

  /** @param own the user's own objective, where the run's algo is a path: the one that the engine has */
  constructor(settings: TrainerSettings, engine: UpdateEngine, own: Objective | null = null) {
    const { config, spec } = settings;
    const { minibatchSize } = runShape(config);
    this.#settings = settings;
    this.#network = networkSpec(config, spec);
    this.#inputs = minibatchInputs(updateSettings(settings, own));
    this.#engine = engine;
    this.#objective = objectiveOf({ algo: config.algo, ...(own && { objective: own }) });
    this.#klCoef = config.klCoef;
    this.#builder = new RoundBatchBuilder(config, spec);
    this.#samples = roundSamples(this.#builder.arrays, this.#network, this.#objective.needs ?? []);
    this.#gatherer = new MinibatchGatherer(this.#samples, minibatchSize);
  }

  /**
   * Fresh weights from the run's seed or from `initial`, or those of `state`; gives that version's snapshot. Throws
   * MISMATCH, and CONFIG for an `initial` that does not fit.
   */
  initialise(state: TrainerState | null, initial: InitialFile | null = null): PolicySnapshot {
    const numbers = state ? decodeTrainerState(state, this.#outline(state.updates)) : this.#freshNumbers(initial);
    const { config } = this.#settings;
    this.#updates = numbers.updates;
    this.#observations = numbers.observations && new ObservationStatistics(this.#retained, numbers.observations);
    this.#rewards = numbers.rewards && new RewardScaling(config.gamma, config.rewardClip, numbers.rewards);
    this.#reference = numbers.reference && new ReferencePolicy(this.#network, config.referenceEvery, numbers.reference);
    this.#engine.setParameters(numbers.weights);
    this.#engine.setOptimizer(numbers.optimizer);
    this.#klCoef = numbers.klCoef ?? config.klCoef;
    return this.#export(numbers.weights);
  }

  /** Trains on one round and gives the next version. Throws MISMATCH, SHAPE, NUMERIC. */
  update(round: number, rollouts: readonly TrainingRollout[]): UpdateResult {
    if (round !== this.#updates)
      throw new OperatorError(
        "MISMATCH",
        `The trainer has done ${this.#updates} updates and was given round ${round}.`,
        "Restart the learner from its last checkpoint; report this.",
      );
    const clock = new StageClock();
    const batch = this.#builder.build(round, rollouts);
    this.#normalise(batch);
    clock.end("assemble_seconds");
    const rewards = this.#rewards ? this.#rewards.scale(batch) : batch.rewards;
    const weighed = fillAdvantages(
      this.#settings.config,
      { ...batch, batch: batch.columns, rewards, ...this.#policyChange() },
      this.#samples,
    );
    clock.end("gae_seconds");
    const metrics = new UpdateMetrics();
    const learningRate = this.#learningRate(round);
    const held = this.#holdToReference(batch);
    const learned = this.#learn(round, learningRate, metrics);
    clock.end("minibatch_seconds");
    this.#updates = round + 1;
    if (this.#observations) {
      this.#observations.foldRound(this.#updates, batch.observations as Float32Array, batch.steps);
      clock.end("statistics_seconds");
    }
    const weights = this.#engine.parameters();
    this.#reference?.trained(this.#updates, weights, this.#observations?.versions.get(this.#updates) ?? null);
    const snapshot = this.#export(weights);
    const hash = weightsSha256(this.#network, weights);
    clock.end("export_seconds");
    const { values, returns } = this.#samples;
    return {
      update: this.#updates,
      snapshot,
      weightsSha256: hash,
      metrics: {
        ...metrics.summary(),
        explained_variance: explainedVariance(values, returns),
        learning_rate: learningRate,
        policy_lag: meanLag(round, batch.policyVersions),
        ...clock.seconds,
        ...weighed,
        ...held,
        ...learned,
      },
    };
  }

  state(): TrainerState {
    const numbers: TrainerNumbers = {
      updates: this.#updates,
      weights: this.#engine.parameters(),
      optimizer: this.#engine.optimizer(),
      observations: this.#observations?.versions ?? null,
      rewards: this.#rewards?.state ?? null,
      klCoef: this.#steersKlCoef ? this.#klCoef : null,
      reference: this.#reference?.numbers ?? null,
    };
    return encodeTrainerState(numbers, this.#network);
  }

  close(): void {
    this.#engine.close();
  }

  /** Versions whose observation statistics may still be needed: the largest lag and the newest. */
  get #retained(): number {
    const { policyLag, maxPolicyLag } = this.#settings.config;
    return (policyLag === "async" ? maxPolicyLag : policyLag) + 1;
  }

  #outline(updates: number) {
    const oldest = Math.max(0, updates + 1 - this.#retained);
    const versions = Array.from({ length: updates + 1 - oldest }, (_, i) => oldest + i);
    const { config } = this.#settings;
    return {
      network: this.#network,
      environments: config.envs,
      observationVersions: this.#network.input.normalize === null ? null : versions,
      normalizeRewards: config.normalizeRewards,
      steersKlCoef: this.#steersKlCoef,
      hasReference: this.#hasReference,
    };
  }

  #freshNumbers(initial: InitialFile | null): TrainerNumbers {
    const { config, spec } = this.#settings;
    const begun = initial && initialPolicy(initial, this.#network, spec);
    const { weights, observations, ...fresh } = freshNumbers(config, this.#network, begun);
    const reference = { version: 0, weights, observations: observations?.get(0) ?? null };
    return {
      ...fresh,
      weights,
      observations,
      klCoef: this.#steersKlCoef ? config.klCoef : null,
      reference: this.#hasReference ? reference : null,
    };
  }

  get #steersKlCoef(): boolean {
    return this.#objective.nextKlCoef !== undefined;
  }

  get #hasReference(): boolean {
    return this.#samples.referenceLogRatios !== undefined;
  }

  #holdToReference({ observations }: RoundBatch): Record<string, number> {
    if (this.#reference === null) return {};
    const { minibatchSize } = runShape(this.#settings.config);
    const { version } = this.#reference.numbers;
    const kl = this.#reference.fill(this.#engine, observations, this.#samples, minibatchSize);
    return { reference_kl: kl, reference_version: version };
  }

  /** Raw observations to the network's, each column with the statistics of the version that acted. */
  #normalise(batch: RoundBatch): void {
    const { normalize } = this.#network.input;
    if (this.#observations === null || normalize === null) return;
    const { steps, columns, policyVersions } = batch;
    const raw = batch.observations as Float32Array;
    const normalised = this.#samples.observations as Float32Array;
    const normalisers = new Map<number, ReturnType<ObservationStatistics["normaliser"]>>();
    for (const version of policyVersions)
      if (!normalisers.has(version)) normalisers.set(version, this.#observations.normaliser(version));
    if (normalisers.size === 1)
      return normaliseRows(raw, normalised, normalisers.get(policyVersions[0]!)!, normalize.clip, 0, steps * columns);
    for (let i = 0; i < steps * columns; i++)
      normaliseRows(raw, normalised, normalisers.get(policyVersions[i % columns]!)!, normalize.clip, i, i + 1);
  }

  #learningRate(round: number): number {
    const { config } = this.#settings;
    return config.annealLearningRate
      ? config.learningRate * (1 - round / runShape(config).rounds)
      : config.learningRate;
  }

  /** The round's samples into the weights. Gives what is to be reported of it. */
  #learn(round: number, learningRate: number, metrics: UpdateMetrics): Record<string, number> {
    const { config } = this.#settings;
    const { klCoef, oldPolicy } = this.#samples;
    klCoef?.fill(this.#klCoef);
    oldPolicy?.set(this.#policyRows());
    const step = trainsCriticOnly(config) ? this.#policyStep() : {};
    const outline = { settings: this.#settings, network: this.#network, inputs: this.#inputs };
    const done = trainEpochs(this.#engine, this.#gatherer, outline, round, learningRate, metrics);
    const { epochs, gatherSeconds } = done;
    const learned: Record<string, number> = { gather_seconds: gatherSeconds, ...step };
    if (config.targetKl !== null) learned.epochs = epochs;
    if (klCoef) learned.kl_coef = this.#klCoef;
    if (oldPolicy) {
      const kl = meanKl(this.#network.distribution, oldPolicy, this.#policyRows());
      learned.kl = kl;
      this.#klCoef = this.#objective.nextKlCoef?.(this.#klCoef, kl, config) ?? this.#klCoef;
    }
    return learned;
  }

  /** The policy's own step, where minibatches are the critic's. */
  #policyStep(): Record<string, number> {
    const { config } = this.#settings;
    const { minibatchSize } = runShape(config);
    const step = trustRegionStep(this.#engine, this.#network, this.#samples, minibatchSize, config);
    const { before, after, tries, accepted, gradientNorm } = step;
    return {
      policy_loss: -after.surrogate,
      entropy: after.entropy,
      approx_kl: after.approxKl,
      kl: after.kl,
      ratio_min: after.ratioMin,
      ratio_max: after.ratioMax,
      ratio_start_error: Math.max(before.ratioMax - 1, 1 - before.ratioMin),
      policy_gradient_norm: gradientNorm,
      line_search_tries: tries,
      line_search_accepted: accepted ? 1 : 0,
    };
  }

  /** How the policy has changed since it acted, where the run corrects for that. */
  #policyChange(): { logRatios?: Float32Array } {
    if (!this.#settings.config.vtrace) return {};
    const { actions, logProbs } = this.#samples;
    return { logRatios: logRatios(this.#network.distribution, this.#policyRows(), actions, logProbs) };
  }

  /** Of every sample, under the engine's present weights. */
  #policyRows(): Float32Array {
    const { stepsPerRound, minibatchSize } = runShape(this.#settings.config);
    const { distribution } = this.#network;
    return policyRows(this.#engine, distribution, this.#samples.observations, stepsPerRound, minibatchSize);
  }

  #export(parameters: ParameterArrays): PolicySnapshot {
    const { runId, spec } = this.#settings;
    const version = this.#updates;
    const normaliser = this.#observations?.normaliser(version) ?? null;
    return exportPolicy({ version, runId, spec, network: this.#network, parameters, normaliser });
  }
}
