import type { RunConfig } from "../../shared/runConfig.ts";
import { ano } from "./ano.ts";
import type { Objective } from "./objective.ts";
import { ppo } from "./ppo.ts";

/** Every policy objective by the name that RunConfig's `algo` gives it. */
export const objectives: Readonly<Record<RunConfig["algo"], Objective>> = {
  ano,
  ppo,
};
