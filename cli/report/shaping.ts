import { objectives } from "../../learner/objectives/registry.ts";
import { shapingCurve } from "../../learner/objectives/shapingCurve.ts";
import { loadTensorFlow } from "../../learner/tensorflow.ts";
import { RunConfig } from "../../shared/runConfig.ts";

export const shapingEps = 0.2;

/** ANO, PPO and SPO as functions of the ratio for advantage 1 and eps 0.2, as the learner computes them. */
export interface Shaping {
  readonly name: string;
  readonly ratios: readonly number[];
  readonly objective: readonly number[];
  readonly slope: readonly number[];
}

export function shapingCurves(): Shaping[] {
  const layer = { kind: "dense", units: 1, activation: "none", gain: 1 } as const;
  const network = {
    input: { shape: [1], frames: false, normalize: null },
    trunk: [],
    actor: [layer],
    critic: [layer],
    distribution: { kind: "gaussian", actions: 1, logStd: 0 },
  } as const; // decides nothing here: a network names TensorFlow's settings
  const tf = loadTensorFlow({ device: "cpu", onednn: "off", threads: 1, network });
  const settings = RunConfig.parse({ env: "none", clip: shapingEps, epsPos: shapingEps, epsNeg: shapingEps });
  const ratios = Float32Array.from({ length: 116 }, (_, i) => 0.2 + i * 0.02);
  return (["ano", "ppo", "spo"] as const).map((algo) => {
    const { objective, slope } = shapingCurve(tf, objectives[algo], settings, ratios, 1);
    return { name: algo.toUpperCase(), ratios: [...ratios], objective: [...objective], slope: [...slope] };
  });
}
