import { Gauge, type Registry } from "prom-client";
import { type ClosedCounter, closedCounter } from "../shared/closedCounter.ts";

/** Fields of an update's metrics that are gauges: name in metrics.jsonl -> name with its unit, and what to think of it. */
const gauges = {
  policy_loss: ["policy_loss", "Mean over the update's minibatches. Its size says little; a jump: look at the ratios."],
  value_loss: ["value_loss", "Mean over the minibatches. Growing for long: the critic diverges."],
  loss: ["loss", "Weighted sum of policy and value loss, less the entropy bonus."],
  entropy: ["entropy_nats", "Of the policy. Near 0 early: it has collapsed."],
  approx_kl: [
    "approx_kl_nats",
    "Between the policy that acted and the one that learns. Over 0.1 for long: large steps.",
  ],
  kl: ["kl_nats", "Exact mean KL after the update (algorithms with a KL term)."],
  kl_coef: ["kl_coefficient", "Weight of the KL term."],
  reference_kl: ["reference_kl_nats", "k3 estimate of the acting policy's KL from the reference (grpo, gano)."],
  reference_version: ["reference_version", "Policy version that is the reference (grpo, gano)."],
  group_flat: [
    "group_flat_fraction",
    "Share of groups whose returns are all equal. Near 1: nothing left to learn from.",
  ],
  group_used: [
    "group_used_fraction",
    "Share of steps before their episode's first end. Low: rolloutSteps is too long.",
  ],
  clip_fraction: ["clip_fraction", "Share of samples with |ratio - 1| > eps. Near 1: steps too large."],
  ratio_min: ["ratio_min", "Smallest ratio of new to old probability in the update."],
  ratio_max: ["ratio_max", "Largest ratio of new to old probability in the update."],
  ratio_start_error: [
    "ratio_start_error",
    "Distance of the first minibatch's ratios from 1. Above 1e-4: actor and learner compute different policies.",
  ],
  explained_variance: [
    "explained_variance",
    "Of the returns by the critic; 1 is perfect. Below 0 for long: a useless critic.",
  ],
  gradient_norm: ["gradient_norm", "Before clipping, mean over the minibatches."],
  policy_gradient_norm: ["policy_gradient_norm", "Of TRPO's policy step."],
  learning_rate: ["learning_rate", "Adam's, in this update."],
  epochs: ["epochs", "Done before targetKl ended them."],
  line_search_tries: ["line_search_tries", "Step lengths that TRPO tried."],
  line_search_accepted: ["line_search_accepted", "1: TRPO took one of them; 0: the old policy was kept."],
} as const;

/** Parts of an update whose wall seconds it reports; `gather` is within `minibatch`. */
const stages = ["assemble", "gae", "minibatch", "gather", "statistics", "export"] as const;

/** The series that tell of each update what its `metrics` say; a quantity has a value from its first report on. */
export class TrainingMetrics {
  readonly #gauges: readonly (readonly [string, Gauge])[];
  readonly #stages: ClosedCounter<"stage", (typeof stages)[number]>;

  constructor(registry: Registry) {
    this.#gauges = Object.entries(gauges).map(([field, [name, help]]) => {
      const gauge = new Gauge({ name: `anchorage_learner_${name}`, help, registers: [registry] });
      gauge.remove(); // an algorithm without a KL term must not show one of 0
      return [field, gauge] as const;
    });
    this.#stages = closedCounter(
      registry,
      "anchorage_learner_stage_seconds_total",
      "Wall seconds of the updates' stages; gather is part of minibatch. All but minibatch should be a few percent.",
      "stage",
      stages,
    );
  }

  /** @param metrics as an UpdateResult has them: by their names in metrics.jsonl */
  show(metrics: Readonly<Record<string, number>>): void {
    for (const [field, gauge] of this.#gauges) {
      const value = metrics[field];
      if (value !== undefined) gauge.set(value);
    }
    for (const stage of stages) this.#stages.inc({ stage }, metrics[`${stage}_seconds`] ?? 0);
  }
}
