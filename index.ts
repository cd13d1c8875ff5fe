/** The library: Anchorage's numeric parts, in plain numbers and typed arrays. Loads neither TensorFlow nor an environment. */
export { type GaeInput, type GaeOutput, generalizedAdvantages } from "./learner/gae.ts";
export { anoObjective } from "./learner/objectives/ano.ts";
export type { Objective, ObjectiveSettings, SampleTensors } from "./learner/objectives/objective.ts";
export { OperatorError } from "./shared/errors.ts";
