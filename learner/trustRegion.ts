import { OperatorError } from "../shared/errors.ts";
import type { RunConfig } from "../shared/runConfig.ts";
import { conjugateGradient, dot } from "./conjugateGradient.ts";
import type { Samples } from "./minibatches.ts";
import type { NetworkSpec, ParameterSpec } from "./networkSpec.ts";
import { policyRows } from "./policyRows.ts";
import { policyParameterSpecs, type SurrogateNumbers, surrogateNumbers } from "./trustRegionFunctions.ts";
import type { FunctionInputs, ParameterArrays, UpdateEngine } from "./update.ts";

export type TrustRegionSettings = Readonly<
  Pick<RunConfig, "maxKl" | "cgIterations" | "cgDamping" | "lineSearchTries" | "lineSearchRatio">
>;

export interface TrustRegionResult {
  readonly before: SurrogateNumbers;
  readonly after: SurrogateNumbers; // those before, where no step was accepted
  readonly tries: number; // step lengths tried
  readonly accepted: boolean;
  readonly gradientNorm: number; // of the surrogate
}

/**
 * TRPO's policy step (Schulman et al. 2015, arXiv:1502.05477) on all samples: s = sqrt(2 delta / x'Fx) x with F x = g by
 * conjugate gradients, g the gradient of mean(r A), F the Fisher matrix plus the damping; then step lengths 1, ratio,
 * ratio^2, ... until the surrogate has improved and the mean KL is at most delta; else the old parameters are kept.
 * Leaves the new parameters in the engine. Throws NUMERIC for a gradient or a curvature x'Fx that is not finite.
 * @param samples S, a multiple of minibatchSize; advantages as they are to be used
 */
export function trustRegionStep(
  engine: UpdateEngine,
  network: NetworkSpec,
  samples: Samples,
  minibatchSize: number,
  settings: TrustRegionSettings,
): TrustRegionResult {
  const parts = partsOf(engine, network, samples, minibatchSize);
  const specs = policyParameterSpecs(network);
  const old = engine.parameters();
  const before = surrogateOf(engine, parts);
  const gradient = average(parts, (part) => flattened(specs, engine.evaluate("surrogateGradient", part)));
  const gradientNorm = Math.sqrt(dot(gradient, gradient));
  if (!Number.isFinite(gradientNorm) || !Number.isFinite(before.surrogate))
    throw notFinite({ surrogate: before.surrogate, "gradient norm": gradientNorm });
  const fisher = (v: Float64Array): Float64Array => {
    const direction = unflattened(specs, v);
    const product = average(parts, ({ observations }) =>
      flattened(specs, engine.evaluate("fisherProduct", { observations: observations!, ...direction })),
    );
    return product.map((x, i) => x + settings.cgDamping * v[i]!);
  };
  const kept = { before, after: before, accepted: false, gradientNorm };
  const direction = conjugateGradient(fisher, gradient, settings.cgIterations);
  const curvature = dot(direction, fisher(direction));
  if (!Number.isFinite(curvature)) throw notFinite({ "gradient norm": gradientNorm, "curvature x'Fx": curvature });
  if (curvature <= 0) return { ...kept, tries: 0 }; // no gradient: there is nothing to improve
  const full = Math.sqrt((2 * settings.maxKl) / curvature);
  for (let tries = 1; tries <= settings.lineSearchTries; tries++) {
    engine.setParameters(moved(specs, old, direction, full * settings.lineSearchRatio ** (tries - 1)));
    const after = surrogateOf(engine, parts);
    if (after.surrogate > before.surrogate && after.kl <= settings.maxKl)
      return { before, after, tries, accepted: true, gradientNorm };
  }
  engine.setParameters(old);
  return { ...kept, tries: settings.lineSearchTries };
}

/** The samples in parts of a minibatch's size, with the policy as it is now beside them. */
function partsOf(engine: UpdateEngine, network: NetworkSpec, samples: Samples, size: number): FunctionInputs[] {
  const count = samples.logProbs.length;
  const { observations, actions, logProbs, advantages } = samples;
  const oldPolicy = policyRows(engine, network.distribution, observations, count, size);
  const arrays = { observations, actions, logProbs, advantages, oldPolicy };
  return Array.from({ length: count / size }, (_, part) =>
    Object.fromEntries(
      Object.entries(arrays).map(([name, array]) => {
        const row = array.length / count;
        return [name, array.subarray(part * size * row, (part + 1) * size * row)];
      }),
    ),
  );
}

function surrogateOf(engine: UpdateEngine, parts: readonly FunctionInputs[]): SurrogateNumbers {
  const rows = parts.map((part) => engine.evaluate("surrogate", part).numbers!);
  const over = (name: keyof SurrogateNumbers): number[] => rows.map((row) => row[surrogateNumbers.indexOf(name)]!);
  const mean = (name: keyof SurrogateNumbers): number => over(name).reduce((sum, x) => sum + x, 0) / rows.length;
  return {
    surrogate: mean("surrogate"),
    kl: mean("kl"),
    entropy: mean("entropy"),
    approxKl: mean("approxKl"),
    ratioMin: Math.min(...over("ratioMin")),
    ratioMax: Math.max(...over("ratioMax")),
  };
}

/** The mean over parts of equal size, in float64. */
function average(parts: readonly FunctionInputs[], of: (part: FunctionInputs) => Float64Array): Float64Array {
  const sum = parts.map(of).reduce((total, part) => total.map((x, i) => x + part[i]!));
  return sum.map((x) => x / parts.length);
}

const sizeOf = ({ shape }: ParameterSpec): number => shape.reduce((a, b) => a * b, 1);

function flattened(specs: readonly ParameterSpec[], arrays: Readonly<ParameterArrays>): Float64Array {
  const flat = new Float64Array(specs.reduce((sum, spec) => sum + sizeOf(spec), 0));
  let at = 0;
  for (const spec of specs) {
    flat.set(arrays[spec.name]!, at);
    at += sizeOf(spec);
  }
  return flat;
}

function unflattened(specs: readonly ParameterSpec[], flat: Float64Array): ParameterArrays {
  let at = 0;
  const entries = specs.map((spec) => {
    const array = Float32Array.from(flat.subarray(at, at + sizeOf(spec)));
    at += sizeOf(spec);
    return [spec.name, array] as const;
  });
  return Object.fromEntries(entries);
}

/** All parameters, the policy's moved along a flat direction. */
function moved(
  specs: readonly ParameterSpec[],
  old: Readonly<ParameterArrays>,
  direction: Float64Array,
  length: number,
): ParameterArrays {
  const at = flattened(specs, old).map((x, i) => x + length * direction[i]!);
  return { ...old, ...unflattened(specs, at) };
}

function notFinite(numbers: Readonly<Record<string, number>>): OperatorError {
  const named = Object.entries(numbers).map(([name, value]) => `${name} ${value}`);
  return new OperatorError(
    "NUMERIC",
    `TRPO's policy step has ${named.join(" and ")}; it was not taken.`,
    "Look for NaN in the environment's rewards and observations, lower maxKl or raise cgDamping; the weights are those before the step.",
  );
}
