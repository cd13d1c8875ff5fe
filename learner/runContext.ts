import type { CoordinatorClient } from "../shared/coordinatorClient.ts";
import type { DeployConfig } from "../shared/deployConfig.ts";
import type { Fingerprint } from "../shared/fingerprint.ts";
import type { Lifecycle } from "../shared/lifecycle.ts";
import type { Logger } from "../shared/log.ts";
import type { NatsAccess } from "../shared/natsConnection.ts";
import type { PortRefusals } from "../shared/portRefusals.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import type { RunMember } from "../shared/runMember.ts";
import type { LearnerMetrics } from "./metrics.ts";
import type { Restored } from "./restore.ts";
import type { LearnerServer } from "./server.ts";
import type { InitialFile, Trainer, TrainerSettings } from "./trainer.ts";

/** What /readyz and the heartbeats say. */
export interface LearnerStatus {
  ready: string | null; // null: ready; else why not
  describe: () => object;
}

/** What a registered learner has in hand. */
export interface RunContext {
  readonly deploy: DeployConfig;
  readonly config: RunConfig;
  readonly runId: string;
  readonly build: string;
  readonly fingerprint: Fingerprint;
  readonly nats: NatsAccess;
  readonly client: CoordinatorClient;
  readonly member: RunMember;
  readonly server: LearnerServer;
  readonly restored: Restored | null;
  readonly initial: InitialFile | null; // what the first policy comes from; null: the seed, or `restored`
  readonly stop: AbortSignal; // save, then end
  readonly superseded: AbortSignal; // end without saving anything; the reason says why
  readonly makeTrainer: (settings: TrainerSettings) => Trainer;
  readonly metrics: LearnerMetrics;
  readonly refusals: PortRefusals;
  readonly log: Logger;
  readonly lifecycle: Lifecycle;
  readonly status: LearnerStatus;
  readonly onOpen: () => void;
}
