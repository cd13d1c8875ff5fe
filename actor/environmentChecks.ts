import { EnvironmentSpec, type ObservationArray, type Picture, type StepOutcome } from "../shared/environment.ts";
import { OperatorError } from "../shared/errors.ts";

/** Where in a batch something went wrong: environment e, step of its episode (0: reset), number of the episode. */
export interface Place {
  readonly id: string;
  readonly environment: number;
  readonly episode: number;
  readonly step: number;
}

export function misbehaved(place: Place, what: string, options?: ErrorOptions): OperatorError {
  const { id, environment, episode, step } = place;
  const where = step === 0 ? `the reset before episode ${episode}` : `step ${step} of episode ${episode}`;
  const problem = `${id}: environment ${environment} of the EnvBatch, ${where}: ${what}.`;
  return new OperatorError("ENVIRONMENT", problem, "Mend the environment's code or its envOptions.", options);
}

/** The spec of a user's environment, checked. `source` names the environment in messages. */
export function checkSpec(spec: unknown, source: string): EnvironmentSpec {
  const wrong = (what: string): OperatorError =>
    new OperatorError(
      "ENVIRONMENT",
      `${source} has a wrong spec: ${what}.`,
      "See EnvironmentSpec in shared/environment.ts.",
    );
  const parsed = EnvironmentSpec.safeParse(spec);
  if (!parsed.success)
    throw wrong(parsed.error.issues.map((issue) => `spec.${issue.path.join(".")}: ${issue.message}`).join("; "));
  const { observation, action } = parsed.data;
  if (action.kind === "continuous") {
    if (action.low.length !== action.high.length)
      throw wrong(`spec.action.low has ${action.low.length} elements, spec.action.high ${action.high.length}`);
    const at = action.low.findIndex((low, i) => low >= action.high[i]!);
    if (at >= 0) throw wrong(`spec.action.low[${at}]=${action.low[at]} is not below high[${at}]=${action.high[at]}`);
  }
  const { dtype, shape, frameStack } = observation;
  if (frameStack !== null && (dtype !== "uint8" || shape.length !== 3 || shape[0] !== frameStack))
    throw wrong(
      `spec.observation with frameStack=${frameStack} must be uint8 of shape [${frameStack}, height, width], got ${dtype} [${shape.join(", ")}]`,
    );
  return parsed.data;
}

/** Throws ENVIRONMENT naming the element where a floating-point observation is NaN or Inf. */
export function checkObservation(observation: ObservationArray, place: Place): void {
  if (observation instanceof Uint8Array) return;
  for (let i = 0; i < observation.length; i++)
    if (!Number.isFinite(observation[i])) throw misbehaved(place, `observation[${i}] is ${observation[i]}`);
}

/** Throws ENVIRONMENT naming the field where a step gave another type than agreed, NaN or Inf. */
export function checkOutcome(outcome: StepOutcome, place: Place): void {
  const given: unknown = outcome;
  if (given === null || typeof given !== "object")
    throw misbehaved(place, `step returned ${String(given)}, expected { reward, terminated }`);
  if (given instanceof Promise) throw misbehaved(place, "step returned a Promise: environments are synchronous");
  const { reward, terminated, truncated } = outcome;
  if (typeof reward !== "number" || !Number.isFinite(Math.fround(reward)))
    throw misbehaved(place, `reward is ${String(reward)}, expected a finite number`);
  if (typeof terminated !== "boolean")
    throw misbehaved(place, `terminated is ${String(terminated)}, expected true or false`);
  if (truncated !== undefined && typeof truncated !== "boolean")
    throw misbehaved(place, `truncated is ${String(truncated)}, expected true or false`);
}

/** The picture as it is (null: none is drawn). Throws ENVIRONMENT where its bytes are not width x height x 3. */
export function checkPicture(picture: Picture | null, place: Place): Picture | null {
  if (picture === null) return null;
  const { width, height, rgb } = picture;
  if (rgb instanceof Uint8Array && width > 0 && height > 0 && rgb.length === width * height * 3) return picture;
  const bytes = rgb instanceof Uint8Array ? `${rgb.length} bytes` : "no Uint8Array";
  throw misbehaved(place, `render gave ${bytes} for ${width} x ${height}, expected width x height x 3 bytes of rgb`);
}

const actionError = (what: string): OperatorError =>
  new OperatorError(
    "SHAPE",
    `The actions of an EnvBatch step ${what}.`,
    "Pass Int32Array [E] or Float32Array [E, A] as spec.action says.",
  );

/** Throws SHAPE or NUMERIC before anything is stepped. */
export function checkActions(actions: Int32Array | Float32Array, spec: EnvironmentSpec, size: number): void {
  const { action } = spec;
  const discrete = action.kind === "discrete";
  if (discrete ? !(actions instanceof Int32Array) : !(actions instanceof Float32Array))
    throw actionError(
      `are a ${(actions as object)?.constructor?.name}, expected ${discrete ? "Int32Array" : "Float32Array"}`,
    );
  const want = discrete ? size : size * action.low.length;
  if (actions.length !== want) throw actionError(`have ${actions.length} elements, expected ${want}`);
  for (let i = 0; i < want; i++) {
    const value = actions[i]!;
    if (discrete ? value < 0 || value >= action.count : !Number.isFinite(value))
      throw new OperatorError(
        "NUMERIC",
        `Action ${i} of an EnvBatch step is ${value}, expected ${discrete ? `0..${action.count - 1}` : "a finite number"}.`,
        "Nothing was stepped.",
      );
  }
}
