import type { EnvironmentSpec } from "../shared/environment.ts";
import { OperatorError, shapeError } from "../shared/errors.ts";
import { type Rollout, rolloutLengths } from "../shared/rollout.ts";
import { actingVersion, type RunConfig, runShape } from "../shared/runConfig.ts";
import { buildStacks } from "./frameStacks.ts";

/** What the trainer reads of a rollout: the rest stays where it arrived. */
export type TrainingRollout = Omit<Rollout, "actorId" | "episodes" | "endState" | "timing">;

/**
 * A round as the update reads it: T steps of N columns, flat and time-major, element (t, n) at t * N + n. Column n is
 * environment n of the run (async: environments[n]). Overwritten by the builder's next `build`.
 */
export interface RoundBatch {
  readonly steps: number; // T
  readonly columns: number; // N
  readonly observations: Float32Array | Uint8Array; // [T, N, ...] raw floats, or uint8 stacks channels last [T, N, H, W, S]
  readonly actions: Int32Array | Float32Array; // [T, N] or [T, N, A]
  readonly logProbs: Float32Array; // [T, N]
  readonly values: Float32Array; // [T, N]
  readonly nextValues: Float32Array; // [T, N]
  readonly rewards: Float32Array; // [T, N] not scaled
  readonly terminated: Uint8Array; // [T, N]
  readonly truncated: Uint8Array; // [T, N]
  readonly environments: Int32Array; // [N] index in the run
  readonly policyVersions: Int32Array; // [N] that acted
  readonly waves: readonly Int32Array[]; // columns that ran side by side: see RewardScalingInput
}

type PerCell = "logProbs" | "values" | "nextValues" | "rewards" | "terminated" | "truncated";
const perCell: readonly PerCell[] = ["logProbs", "values", "nextValues", "rewards", "terminated", "truncated"];

/** Assembles rounds into arrays made once: a round is a memcpy per field, EnvBatch and step. */
export class RoundBatchBuilder {
  readonly #config: RunConfig;
  readonly #spec: EnvironmentSpec;
  readonly #batch: Omit<RoundBatch, "waves">;

  constructor(config: RunConfig, spec: EnvironmentSpec) {
    const { envs: columns, rolloutSteps: steps } = config;
    const cells = steps * columns;
    const elements = spec.observation.shape.reduce((product, extent) => product * extent, 1);
    const stacked = spec.observation.frameStack !== null;
    this.#config = config;
    this.#spec = spec;
    this.#batch = {
      steps,
      columns,
      observations: stacked ? new Uint8Array(cells * elements) : new Float32Array(cells * elements),
      actions:
        spec.action.kind === "discrete" ? new Int32Array(cells) : new Float32Array(cells * spec.action.low.length),
      logProbs: new Float32Array(cells),
      values: new Float32Array(cells),
      nextValues: new Float32Array(cells),
      rewards: new Float32Array(cells),
      terminated: new Uint8Array(cells),
      truncated: new Uint8Array(cells),
      environments: new Int32Array(columns),
      policyVersions: new Int32Array(columns),
    };
  }

  /** Where every round is built: the same arrays always. */
  get arrays(): Omit<RoundBatch, "waves"> {
    return this.#batch;
  }

  /**
   * @param rollouts in EnvBatch order: each EnvBatch once, or (async) as many rollouts, ordered by (EnvBatch, round)
   * Throws MISMATCH for rollouts that do not make up this round, SHAPE for arrays of wrong length.
   */
  build(round: number, rollouts: readonly TrainingRollout[]): RoundBatch {
    this.#check(round, rollouts);
    const { batch: size } = rolloutLengths(this.#config, this.#spec);
    rollouts.forEach((rollout, slot) => {
      this.#copy(rollout, slot * size);
      for (let e = 0; e < size; e++) {
        this.#batch.environments[slot * size + e] = rollout.key.envBatch * size + e;
        this.#batch.policyVersions[slot * size + e] = rollout.key.policyVersion;
      }
    });
    return { ...this.#batch, waves: waves(rollouts, size) };
  }

  #copy(rollout: TrainingRollout, first: number): void {
    const target = this.#batch;
    const { steps, columns } = target;
    const { batch } = rollout;
    for (const field of perCell) copyColumns(rollout[field], target[field], steps, batch, columns, first);
    copyColumns(rollout.actions, target.actions, steps, batch, columns, first);
    if (target.observations instanceof Uint8Array) {
      const stack = this.#spec.observation.frameStack!;
      const pixels = target.observations.length / (steps * columns * stack);
      const frames = rollout.observations as Uint8Array;
      const finalObservations = rollout.finalObservations as Uint8Array;
      buildStacks({ stack, pixels }, { ...rollout, frames, finalObservations }, target.observations, columns, first);
    } else copyColumns(rollout.observations, target.observations, steps, batch, columns, first);
  }

  #check(round: number, rollouts: readonly TrainingRollout[]): void {
    const { envBatches } = runShape(this.#config);
    if (rollouts.length !== envBatches)
      throw mismatch(`Round ${round} has ${rollouts.length} rollouts, expected ${envBatches}.`);
    rollouts.forEach((rollout, slot) => {
      this.#checkKey(round, rollout, slot, envBatches);
      this.#checkShape(rollout);
    });
  }

  #checkKey(round: number, { key }: TrainingRollout, slot: number, envBatches: number): void {
    const { policyLag } = this.#config;
    if (key.envBatch >= envBatches)
      throw mismatch(`Round ${round} holds a rollout of EnvBatch ${key.envBatch} of ${envBatches}.`);
    if (policyLag === "async") return; // an EnvBatch counts its own rounds, and the statistics decide which versions are usable
    const version = actingVersion(round, policyLag);
    if (key.envBatch !== slot || key.round !== round || key.policyVersion !== version)
      throw mismatch(
        `Rollout ${slot} of round ${round} is of EnvBatch ${key.envBatch}, round ${key.round} and policy version ${key.policyVersion}, expected EnvBatch ${slot}, round ${round} and version ${version}.`,
      );
  }

  #checkShape(rollout: TrainingRollout): void {
    const want = rolloutLengths(this.#config, this.#spec);
    const { envBatch } = rollout.key;
    if (rollout.steps !== want.steps || rollout.batch !== want.batch)
      throw mismatch(
        `The rollout of EnvBatch ${envBatch} has ${rollout.steps} steps of ${rollout.batch} environments, expected ${want.steps} of ${want.batch}.`,
      );
    for (const field of perCell)
      if (rollout[field].length !== want.cells) throw shapeError(field, want.cells, rollout[field]);
    for (const field of ["observations", "initialStack", "stackRefilled", "actions"] as const)
      if (rollout[field].length !== want[field]) throw shapeError(field, want[field], rollout[field]);
  }
}

/** [T, E, W] into columns first .. first + E - 1 of [T, N, W]. */
function copyColumns(
  source: Float32Array | Int32Array | Uint8Array,
  target: Float32Array | Int32Array | Uint8Array,
  steps: number,
  batch: number,
  columns: number,
  first: number,
): void {
  const row = source.length / steps;
  const width = row / batch;
  for (let t = 0; t < steps; t++) target.set(source.subarray(t * row, (t + 1) * row), (t * columns + first) * width);
}

/** The k-th wave: the columns of each EnvBatch's k-th rollout in this round. */
function waves(rollouts: readonly TrainingRollout[], size: number): Int32Array[] {
  const columns: number[][] = [];
  const seen = new Map<number, number>();
  rollouts.forEach(({ key }, slot) => {
    const wave = seen.get(key.envBatch) ?? 0;
    seen.set(key.envBatch, wave + 1);
    const list = columns[wave] ?? [];
    columns[wave] = list;
    for (let e = 0; e < size; e++) list.push(slot * size + e);
  });
  return columns.map((list) => Int32Array.from(list));
}

function mismatch(problem: string): OperatorError {
  return new OperatorError("MISMATCH", problem, "Restart the learner from its last checkpoint; report this.");
}
