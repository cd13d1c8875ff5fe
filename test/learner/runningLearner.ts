import { onTestFinished } from "vitest";
import { runLearner } from "../../learner/main.ts";
import { DeployConfig } from "../../shared/deployConfig.ts";
import { type Fingerprint, fingerprint } from "../../shared/fingerprint.ts";
import { Lifecycle } from "../../shared/lifecycle.ts";
import { logger } from "../../shared/log.ts";
import type { RunConfig } from "../../shared/runConfig.ts";
import { type Running, startCoordinator, temporaryFolder } from "../coordinator/runningCoordinator.ts";
import { metricsPage } from "../system/scrape.ts";
import { CountingTrainer, type CountingTrainerGiven } from "./countingTrainer.ts";
import { NatsProcess } from "./natsProcess.ts";
import { type ActorScript, ScriptedActor } from "./scriptedActor.ts";

export const testFingerprint: Fingerprint = fingerprint({
  device: "cpu",
  threads: 1,
  onednn: false,
  tensorflow: "none",
});

export interface RunningLearner {
  readonly exit: Promise<number>;
  readonly lifecycle: Lifecycle;
  readonly trainer: () => CountingTrainer | null;
  /** host:port where actors reach it, once it has registered. */
  readonly address: Promise<string>;
  /** Its /metrics as Prometheus reads them. */
  readonly metrics: () => Promise<string>;
  readonly metricsPort: Promise<number>;
}

export interface LearnerGiven extends CountingTrainerGiven {
  readonly deploy?: Partial<DeployConfig>;
  readonly fingerprint?: Fingerprint;
}

/** A run on real parts: coordinator, NATS server, learner and actors, over real sockets. */
export class RunningSystem {
  readonly nats: NatsProcess;
  readonly config: RunConfig;
  readonly runDir: string;
  coordinator: Running;
  #actors = 0;

  private constructor(nats: NatsProcess, config: RunConfig, runDir: string, coordinator: Running) {
    this.nats = nats;
    this.config = config;
    this.runDir = runDir;
    this.coordinator = coordinator;
  }

  static async start(config: RunConfig, more: Partial<DeployConfig> = {}): Promise<RunningSystem> {
    const nats = await (await NatsProcess.prepare()).start();
    onTestFinished(() => nats.dispose());
    const runDir = `${await temporaryFolder()}/run`;
    const deploy = { nats: nats.address, heartbeatSeconds: 0.1, ...more };
    const coordinator = await startCoordinator({ runDir, config, deploy, options: { stay: true } });
    return new RunningSystem(nats, config, runDir, coordinator);
  }

  learner(given: LearnerGiven = {}): RunningLearner {
    const lifecycle = new Lifecycle(logger("test"));
    let trainer: CountingTrainer | null = null;
    const deploy = DeployConfig.parse({
      coordinator: this.coordinator.address,
      nats: this.nats.address,
      heartbeatSeconds: 0.1,
      checkpointEvery: 3,
      drainSeconds: 5,
      ...given.deploy,
    });
    let ready: (serving: { address: string; metricsPort: number }) => void = () => {};
    const serving = new Promise<{ address: string; metricsPort: number }>((resolve) => {
      ready = resolve;
    });
    const address = serving.then((where) => where.address);
    const metricsPort = serving.then((where) => where.metricsPort);
    const exit = runLearner(deploy, {
      lifecycle,
      makeTrainer: (settings) => {
        trainer = new CountingTrainer(settings, given);
        return trainer;
      },
      fingerprint: () => given.fingerprint ?? testFingerprint,
      onReady: ready,
    });
    const metrics = async (): Promise<string> => metricsPage(await metricsPort);
    exit.catch(() => undefined); // the test looks at it
    onTestFinished(async () => {
      lifecycle.stop({ kind: "asked", detail: "end of test" });
      await exit.catch(() => undefined);
    });
    return { exit, lifecycle, trainer: () => trainer, address, metrics, metricsPort };
  }

  /** Who waits for an event of another process can only ask again. */
  async until<T>(look: () => Promise<T | null>): Promise<T> {
    for (;;) {
      const found = await look();
      if (found !== null) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async actor(learner: RunningLearner, script: ActorScript = {}): Promise<ScriptedActor> {
    const { runId } = this.coordinator;
    const actor = new ScriptedActor(await learner.address, runId, this.config, `actor-${this.#actors++}`, script);
    onTestFinished(() => actor.kill());
    return actor;
  }

  /** Resolves once the coordinator has heard of this many updates. */
  updates(count: number): Promise<number> {
    return this.until(async () => {
      const { updates } = await this.coordinator.client.control("STATUS");
      return updates >= count ? updates : null;
    });
  }

  /** Resolves once the coordinator has stored a checkpoint after this many updates, or more. */
  checkpoint(update: number): Promise<number> {
    return this.until(async () => {
      const { run } = await this.coordinator.client.control("STATUS");
      return run!.newest_checkpoint >= update ? run!.newest_checkpoint : null;
    });
  }

  /** The coordinator goes away, as by SIGTERM, and comes back on the same address and folder. */
  async stopCoordinator(): Promise<void> {
    await this.coordinator.stop();
  }
  async startCoordinatorAgain(): Promise<void> {
    const deploy = { nats: this.nats.address, heartbeatSeconds: 0.1, coordinatorListen: this.coordinator.address };
    const options = { stay: true, resume: true as const };
    this.coordinator = await startCoordinator({ runDir: this.runDir, config: this.config, deploy, options });
  }

  async finalWeights(): Promise<string> {
    const { weights_sha256, run } = await this.coordinator.client.control("STATUS");
    if (run?.state !== "FINISHED") throw new Error(`the run is ${run?.state}`);
    return weights_sha256;
  }
}
