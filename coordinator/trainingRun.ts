import { EventEmitter } from "node:events";
import type { ControlAction__Output } from "../proto/gen/anchorage/v1/ControlAction.ts";
import type { ReportReply } from "../proto/gen/anchorage/v1/ReportReply.ts";
import type { Run } from "../proto/gen/anchorage/v1/Run.ts";
import type { Status } from "../proto/gen/anchorage/v1/Status.ts";
import type { UpdateReport__Output } from "../proto/gen/anchorage/v1/UpdateReport.ts";
import type { WorkingLearner } from "../proto/gen/anchorage/v1/WorkingLearner.ts";
import { buildId } from "../shared/build.ts";
import { OperatorError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { configDigest, runShape } from "../shared/runConfig.ts";
import type { CheckpointStore } from "./checkpointStore.ts";
import type { Membership } from "./membership.ts";
import type { CoordinatorMetrics } from "./metrics.ts";
import { type MetricsLog, reportOf } from "./metricsLog.ts";
import { PolicyFile } from "./policyFile.ts";
import type { RunStateFile } from "./runState.ts";
import type { OpenRun } from "./runStore.ts";
import type { TensorboardLog } from "./tensorboard.ts";

export interface TrainingRunParts {
  readonly store: OpenRun;
  readonly checkpoints: CheckpointStore;
  readonly metricsLog: MetricsLog;
  readonly tensorboard: TensorboardLog;
  readonly members: Membership;
  readonly metrics: CoordinatorMetrics;
  readonly nats: string;
  readonly log: Logger;
}

type State = RunStateFile["state"];

/** What each action makes of each state; absent: it is refused. The same state: nothing to do. */
const transitions: Record<Exclude<ControlAction__Output, "STATUS">, Partial<Record<State, State>>> = {
  PAUSE: { RUNNING: "PAUSED", PAUSED: "PAUSED" },
  RESUME: { PAUSED: "RUNNING", STOPPING: "RUNNING", FAILED: "RUNNING", RUNNING: "RUNNING" },
  STOP: { RUNNING: "STOPPING", PAUSED: "STOPPING", STOPPING: "STOPPING", FINISHED: "FINISHED", FAILED: "FAILED" },
};

/** The run as its coordinator sees it: what the learner reports, what people ask for, and when it is over. */
export class TrainingRun extends EventEmitter<{ changed: [] }> {
  readonly parts: TrainingRunParts;
  readonly totalSteps: number; // agent steps
  readonly #rounds: number;
  readonly #identity: Pick<Run, "run_id" | "config_json" | "config_digest" | "nats" | "build">;
  readonly #policy: PolicyFile;
  #reporting: Promise<unknown> = Promise.resolve();
  metricsPort = 0;
  /** When the run last got on: a new update, this process's start, or its going on after a pause; Date.now(). */
  progressed = Date.now();
  page = ""; // its URL; "": there is none
  endTold = false; // to a watcher at least

  constructor(parts: TrainingRunParts) {
    super();
    this.setMaxListeners(0); // one per watcher
    this.parts = parts;
    this.#policy = new PolicyFile(parts.store.folder);
    const { config, run } = parts.store;
    const { rounds, stepsPerRound } = runShape(config);
    this.#rounds = rounds;
    this.totalSteps = rounds * stepsPerRound;
    const config_json = JSON.stringify(config);
    this.#identity = {
      run_id: run.runId,
      config_json,
      config_digest: configDigest(config),
      nats: parts.nats,
      build: buildId(),
    };
  }

  get state(): Readonly<RunStateFile> {
    return this.parts.store.state.current;
  }

  /** Nothing more will happen: finished, failed, or stopped and the learner has gone. */
  get over(): boolean {
    const { state } = this.state;
    return state === "FINISHED" || state === "FAILED" || (state === "STOPPING" && this.parts.members.learnerGone);
  }

  describe(): Run {
    const { state, generation, differences, failure } = this.state;
    return {
      ...this.#identity,
      state,
      learner_address: this.parts.members.learnerAddress,
      generation,
      reproducible: differences.length === 0,
      newest_checkpoint: this.parts.checkpoints.newestUpdate,
      damaged_checkpoints: this.parts.checkpoints.damaged,
      failure,
      working_learner: this.#workingLearner(),
    };
  }

  #workingLearner(): WorkingLearner | null {
    const { members } = this.parts;
    const learner = members.views().find(({ role }) => role === "LEARNER");
    if (learner === undefined) return null;
    const { host, pid, lastSeenSeconds } = learner;
    return { host, pid, last_seen_seconds: lastSeenSeconds, silence_seconds: members.silenceSeconds };
  }

  status(): Status {
    const { last } = this.parts.metricsLog;
    const newest = last === null ? null : reportOf(last);
    return {
      run: this.describe(),
      updates: newest?.update ?? 0,
      agent_steps: newest?.agent_steps ?? 0,
      total_steps: this.totalSteps,
      members: this.parts.members.list(),
      metrics: newest?.metrics ?? {},
      weights_sha256: this.state.weightsSha256,
      metrics_port: this.metricsPort,
      page: this.page,
    };
  }

  /** Throws MISMATCH if the run's state does not allow it. */
  async control(action: ControlAction__Output): Promise<Status> {
    if (action !== "STATUS") {
      const before = this.state.state;
      const after = transitions[action]?.[before];
      if (after === undefined) {
        const problem = `${action.toLowerCase()} is not possible: the run is ${before.toLowerCase()}.`;
        throw new OperatorError(
          "MISMATCH",
          problem,
          "See `anchorage status`, with the same --run-dir or --coordinator.",
        );
      }
      if (after !== before) await this.#setState({ state: after, failure: "" });
    }
    return this.status();
  }

  /** The learner's report of an update; one after the other, idempotent by (generation, update). */
  report(report: UpdateReport__Output): Promise<ReportReply> {
    const answer = this.#reporting.then(() => this.#report(report));
    this.#reporting = answer.catch(() => undefined); // the caller has the error; the next report must still run
    return answer;
  }

  async #report(report: UpdateReport__Output): Promise<ReportReply> {
    const refused = this.parts.members.refusal(report.generation) ?? this.#untimely(report);
    if (refused !== null) return this.#answer("refused", refused);
    if (report.failure !== "") {
      await this.#setState({ state: "FAILED", failure: report.failure });
      return this.#answer("accepted");
    }
    await this.parts.members.worked(report.actor_fingerprints);
    const isNew = await this.#isNew(report);
    const finishes = report.finished && this.state.state !== "FINISHED";
    const newest = report.update === this.parts.metricsLog.last?.update; // sent again, perhaps now with its policy
    if (isNew || newest || report.finished) await this.#store(report, isNew);
    if (isNew) this.progressed = Date.now();
    this.emit("changed");
    return this.#answer(isNew || finishes ? "accepted" : "duplicate");
  }

  #answer(outcome: "accepted" | "duplicate" | "refused", refused = ""): ReportReply {
    this.parts.metrics.reports.inc({ outcome });
    if (refused !== "") this.parts.log.warn(`report refused: ${refused}`);
    return { accepted: outcome !== "refused", refused };
  }

  #untimely({ update, failure }: UpdateReport__Output): string | null {
    const { state } = this.state;
    const { last } = this.parts.metricsLog;
    if (state === "FAILED") return "the run has failed";
    if (state === "FINISHED" && update > (last?.update ?? 0)) return "the run is finished";
    if (failure === "" && (update < 1 || update > this.#rounds))
      return `update ${update} is none of this run's 1 to ${this.#rounds}`;
    return null;
  }

  /** A newer learner that began at an earlier checkpoint does updates again: their old records go. */
  async #isNew({ generation, update, finished }: UpdateReport__Output): Promise<boolean> {
    const { metricsLog, tensorboard, log } = this.parts;
    const { last } = metricsLog;
    if (last === null || update > last.update) return true;
    // The end is reported apart from its update, perhaps by a learner that found nothing left to do.
    if (generation === last.generation || (finished && update === last.update)) return false;
    log.info(`learner generation ${generation} does update ${update} again: later records are cut`);
    await metricsLog.cutFrom(update);
    await tensorboard.rewrite(metricsLog).catch((error: unknown) => this.#storageFailed(error));
    return true;
  }

  /** Throws STORAGE; the learner then reports again. The run counts as finished only once all of it is on the disk. */
  async #store(report: UpdateReport__Output, isNew: boolean): Promise<void> {
    const { metricsLog, tensorboard } = this.parts;
    try {
      if (report.policy.length > 0) await this.#policy.write(report.policy);
      if (isNew) {
        await metricsLog.append(report);
        // metrics.jsonl has it, and the event file is made from that again: no reason to refuse the report.
        await tensorboard.append(metricsLog).catch((error: unknown) => this.#storageFailed(error));
      }
      if (!report.finished || this.state.state === "FINISHED") return;
      await this.#setState({ state: "FINISHED", weightsSha256: report.weights_sha256 });
    } catch (error) {
      this.#storageFailed(error);
      throw error;
    }
  }

  async #setState(change: Partial<RunStateFile>): Promise<void> {
    const before = this.state.state;
    await this.parts.store.state.change(() => change);
    if (this.state.state === "RUNNING") {
      this.progressed = Date.now();
      this.endTold = false;
    }
    this.parts.log.info(`run ${before} -> ${this.state.state}${change.failure ? `: ${change.failure}` : ""}`);
    this.emit("changed");
  }

  #storageFailed(error: unknown): void {
    this.parts.metrics.storageFailures.inc();
    this.parts.log.error({ err: error }, "the run folder could not be written");
  }
}
