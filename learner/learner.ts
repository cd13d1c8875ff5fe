import type { UpdateReport } from "../proto/gen/anchorage/v1/UpdateReport.ts";
import type { EnvironmentSpec } from "../shared/environment.ts";
import { OperatorError } from "../shared/errors.ts";
import type { Fingerprint } from "../shared/fingerprint.ts";
import type { Logger } from "../shared/log.ts";
import type { PolicySnapshot } from "../shared/policySnapshot.ts";
import type { Rollout } from "../shared/rollout.ts";
import { configDigest, type RunConfig, type RunShape, runShape } from "../shared/runConfig.ts";
import { type CheckpointMetadata, encodeCheckpoint } from "./checkpoint.ts";
import type { CheckpointKeeper } from "./checkpointKeeper.ts";
import type { Collection } from "./collection.ts";
import type { EpisodeRecord, EpisodeWindow } from "./episodeWindow.ts";
import type { LearnerMetrics } from "./metrics.ts";
import type { PolicyPublisher } from "./policyPublisher.ts";
import type { RoundAssembly } from "./rounds.ts";
import type { Trainer, UpdateResult } from "./trainer.ts";
import type { UpdateReporter } from "./updateReporter.ts";
import type { WaitClock } from "./waitClock.ts";

export interface LearnerParts {
  readonly trainer: Trainer; // initialised
  readonly rounds: RoundAssembly;
  readonly collection: Collection;
  readonly publisher: PolicyPublisher;
  readonly keeper: CheckpointKeeper;
  readonly reporter: UpdateReporter;
  readonly episodes: EpisodeWindow;
  readonly learnerWait: WaitClock;
  readonly actorsWait: WaitClock;
  readonly metrics: LearnerMetrics;
  readonly log: Logger;
}

export interface LearnerSettings {
  readonly runId: string;
  readonly config: RunConfig;
  readonly spec: EnvironmentSpec;
  readonly fingerprint: Fingerprint;
  readonly build: string;
  readonly generation: () => number;
  readonly actorFingerprint: () => Fingerprint | null;
  readonly workedWith: () => readonly string[]; // fingerprints of the actors, JSON
  readonly reproducible: () => boolean;
  readonly checkpointEvery: number; // updates
  readonly policies: readonly PolicySnapshot[]; // of every version that the first rounds use, the newest last
  readonly weightsSha256: string; // of the newest; empty: before the first update
}

/** The loop: publish a version, wait for a round, update; checkpoint and report. */
export class Learner {
  readonly #parts: LearnerParts;
  readonly #settings: LearnerSettings;
  readonly #shape: RunShape;
  #policies: PolicySnapshot[];
  #weightsSha256: string;
  #savedUpdate: number;
  #newestReport: UpdateReport | null = null; // without its policy
  #seen = { at: performance.now(), learnerWait: 0, actorsWait: 0 };

  constructor(parts: LearnerParts, settings: LearnerSettings) {
    this.#parts = parts;
    this.#settings = settings;
    this.#shape = runShape(settings.config);
    this.#policies = [...settings.policies];
    this.#weightsSha256 = settings.weightsSha256;
    this.#savedUpdate = parts.rounds.updatesDone;
  }

  /**
   * Trains until the run's last update or until `stop` aborts; a running update is finished. Either way the newest state
   * is on its way to the coordinator. Rejects with what the trainer or the collection failed with, or with the reason of
   * `superseded`: then nothing is saved.
   */
  async run(save: AbortSignal, superseded: AbortSignal): Promise<"finished" | "stopped"> {
    const { rounds, publisher, reporter, log } = this.#parts;
    const stop = AbortSignal.any([save, superseded]);
    for (const snapshot of this.#policies) publisher.publish(snapshot);
    this.#showProgress();
    while (rounds.updatesDone < this.#shape.rounds && !stop.aborted) {
      await reporter.room(stop);
      const rollouts = await this.#nextRound(stop);
      if (rollouts !== null) await this.#update(rollouts);
    }
    superseded.throwIfAborted();
    if (rounds.updatesDone > this.#savedUpdate) {
      reporter.add(this.#withPolicy(this.#newestReport!)); // again: the checkpoint's policy was not with it
      await this.#checkpoint();
    }
    if (rounds.updatesDone < this.#shape.rounds) {
      if (rounds.updatesDone === 0) log.warn("stopped before the first update: there is nothing to save");
      return "stopped";
    }
    return "finished";
  }

  /** The report that says that the run is over, after its last update's own: for when its last checkpoint is stored. */
  reportFinished(): void {
    const { reporter } = this.#parts;
    const report = { ...this.#reportBase(), metrics: this.#episodeMetrics(), episodes: [] };
    reporter.add(this.#withPolicy({ ...report, finished: true, weights_sha256: this.#weightsSha256 }));
  }

  #withPolicy(report: UpdateReport): UpdateReport {
    return { ...report, policy: Buffer.from(this.#policies.at(-1)!.bytes) };
  }

  /** null: `stop` aborted first. */
  async #nextRound(stop: AbortSignal): Promise<Rollout[] | null> {
    const { collection, learnerWait } = this.#parts;
    learnerWait.set(1);
    try {
      return await collection.nextRound(stop);
    } catch (error) {
      if (stop.aborted) return null;
      throw error;
    } finally {
      learnerWait.set(0);
    }
  }

  async #update(rollouts: readonly Rollout[]): Promise<void> {
    const { trainer, rounds, collection, publisher, episodes, metrics } = this.#parts;
    const round = rounds.updatesDone;
    const collectSeconds = collection.collectSeconds();
    const lag = rollouts.reduce((sum, { key }) => sum + round - key.policyVersion, 0) / rollouts.length;
    const began = performance.now();
    const result = await trainer.update(round, rollouts);
    const updateSeconds = (performance.now() - began) / 1000;
    if (result.update !== round + 1 || result.snapshot.version !== round + 1)
      throw new Error(`update ${round + 1} gave update ${result.update}, version ${result.snapshot.version}`);
    this.#keepPolicy(result.snapshot);
    this.#weightsSha256 = result.weightsSha256;
    // Before the checkpoint, and before the trainer is asked for its state: actors should not wait for either.
    publisher.publish(result.snapshot);
    collection.trained();
    const ended = episodes.add(rollouts);
    metrics.updateSeconds.observe(updateSeconds);
    metrics.collectSeconds.observe(collectSeconds);
    metrics.policyLag.set(lag);
    const due = rounds.updatesDone % this.#settings.checkpointEvery === 0 || rounds.updatesDone === this.#shape.rounds;
    this.#report(
      result,
      ended,
      { policy_lag: lag, collect_seconds: collectSeconds, update_seconds: updateSeconds },
      due,
    );
    if (due) await this.#checkpoint();
    this.#showProgress();
  }

  /** The versions that untrained rounds act with: newest and, with policy lag 1, the one before. */
  #keepPolicy(snapshot: PolicySnapshot): void {
    const lag = this.#settings.config.policyLag === 1 ? 1 : 0;
    this.#policies = [...this.#policies, snapshot].filter(({ version }) => version >= snapshot.version - lag);
  }

  async #checkpoint(): Promise<void> {
    const { rounds, trainer, keeper, reporter, episodes } = this.#parts;
    // All of one moment: rollouts that arrive while the trainer answers must not move the starts.
    const starts = rounds.starts();
    const policies = [...this.#policies];
    const metadata = this.#metadata();
    const { meanReturn } = episodes;
    const state = await trainer.state();
    const update = rounds.updatesDone;
    if (state.updates !== update)
      throw new Error(`the trainer's state is of update ${state.updates}, expected ${update}`);
    const bytes = encodeCheckpoint({ metadata, trainer: state, policies, starts });
    const checkpoint = { generation: this.#settings.generation(), update, meanReturn, bytes };
    keeper.keep(checkpoint, (dropped) => reporter.deliveredSoFar(dropped));
    this.#savedUpdate = update;
  }

  #metadata(): Omit<
    CheckpointMetadata,
    "format" | "formatVersion" | "rounds" | "stateDigests" | "policies" | "updates"
  > {
    const { runId, config, fingerprint, actorFingerprint, reproducible, build, spec } = this.#settings;
    const { episodes, learnerWait, actorsWait } = this.#parts;
    return {
      runId,
      config,
      configDigest: configDigest(config),
      fingerprint,
      actorFingerprint: actorFingerprint(),
      reproducible: reproducible(),
      build,
      weightsSha256: this.#weightsSha256,
      agentSteps: this.#agentSteps,
      episodes: episodes.count,
      episodeWindow: episodes.records.map(([returned, length]) => [returned, length]),
      environmentSpec: spec,
      counters: { learner_wait_seconds: learnerWait.total(), actors_wait_seconds: actorsWait.total() },
    };
  }

  get #agentSteps(): number {
    return this.#parts.rounds.updatesDone * this.#shape.stepsPerRound;
  }

  #reportBase() {
    return {
      generation: this.#settings.generation(),
      update: this.#parts.rounds.updatesDone,
      agent_steps: this.#agentSteps,
      actor_fingerprints: [...this.#settings.workedWith()],
    };
  }

  #episodeMetrics(): Record<string, number> {
    const { episodes } = this.#parts;
    return { mean_return: episodes.meanReturn, mean_episode_length: episodes.meanLength, episodes: episodes.count };
  }

  #report(
    result: UpdateResult,
    ended: readonly EpisodeRecord[],
    timing: Record<string, number>,
    withPolicy: boolean,
  ): void {
    const { learnerWait, actorsWait, metrics, reporter } = this.#parts;
    const now = { at: performance.now(), learnerWait: learnerWait.total(), actorsWait: actorsWait.total() };
    const seconds = (now.at - this.#seen.at) / 1000;
    const values: Record<string, number> = {
      ...result.metrics,
      ...this.#episodeMetrics(),
      ...timing,
      broadcast_seconds: this.#parts.publisher.lastBroadcastSeconds,
      steps_per_second: this.#shape.stepsPerRound / seconds,
      learner_wait_seconds: now.learnerWait - this.#seen.learnerWait,
      actors_wait_seconds: now.actorsWait - this.#seen.actorsWait,
      ...this.#parts.collection.counts(),
      reproducible: this.#settings.reproducible() ? 1 : 0,
    };
    this.#seen = now;
    metrics.training.show(result.metrics);
    metrics.trainedSteps.inc(this.#shape.stepsPerRound);
    const report = {
      ...this.#reportBase(),
      metrics: values,
      episodes: ended.map(([returned, length]) => ({ return: returned, length })),
    };
    this.#newestReport = report;
    reporter.add(withPolicy ? this.#withPolicy(report) : report);
  }

  #showProgress(): void {
    const { metrics, rounds, episodes } = this.#parts;
    metrics.updates.set(rounds.updatesDone);
    metrics.agentSteps.set(this.#agentSteps);
    metrics.episodes.set(episodes.count);
    metrics.meanReturn.set(episodes.meanReturn);
    metrics.meanLength.set(episodes.meanLength);
  }
}

/** What a trainer must give on resume: the very policy that the checkpoint holds. Throws MISMATCH. */
export function checkSamePolicy(fromTrainer: PolicySnapshot, stored: PolicySnapshot): void {
  if (fromTrainer.digest === stored.digest) return;
  const problem = `The restored weights give policy ${fromTrainer.version} with digest ${fromTrainer.digest.slice(0, 12)}, the checkpoint holds ${stored.digest.slice(0, 12)}.`;
  throw new OperatorError("MISMATCH", problem, "Resume with the build that wrote the checkpoint.");
}
