import type { AlgorithmName } from "../../shared/algorithms.ts";
import { ano } from "./ano.ts";
import { gano, grpo } from "./groupRelative.ts";
import type { Objective } from "./objective.ts";
import { papo } from "./papo.ts";
import { policyGradient } from "./policyGradient.ts";
import { ppo } from "./ppo.ts";
import { ppoKlAdaptive, ppoKlFixed } from "./ppoKl.ts";
import { spo } from "./spo.ts";
import { surrogate } from "./surrogate.ts";

/** The policy objective of every algorithm, by the name that RunConfig's `algo` gives it. */
export const objectives: Readonly<Record<AlgorithmName, Objective>> = {
  ano,
  ppo,
  "ppo-kl-fixed": ppoKlFixed,
  "ppo-kl-adaptive": ppoKlAdaptive,
  spo,
  papo,
  trpo: surrogate,
  a2c: policyGradient,
  pg: policyGradient,
  grpo,
  gano,
};
