import { distributionWidth } from "./distribution.ts";
import type { Distribution } from "./networkSpec.ts";
import type { UpdateEngine } from "./update.ts";

/** The policy of all S samples under the engine's present weights, [S, W] (distribution.ts), a minibatch's size at a time. */
export function policyRows(
  engine: UpdateEngine,
  distribution: Distribution,
  observations: Float32Array | Uint8Array,
  samples: number,
  minibatchSize: number,
): Float32Array {
  const rows = new Float32Array(samples * distributionWidth(distribution));
  const [inputs, outputs] = [observations.length / samples, rows.length / samples];
  for (let from = 0; from < samples; from += minibatchSize) {
    const part = observations.subarray(from * inputs, (from + minibatchSize) * inputs);
    rows.set(engine.evaluate("policy", { observations: part }).rows!, from * outputs);
  }
  return rows;
}

/**
 * ln pi(a|s) of each sample less what it was, [S], in float64: of the policy in `rows` to the one that acted.
 * @param logProbs [S] of the policy that acted
 */
export function logRatios(
  { kind, actions: count }: Distribution,
  rows: Float32Array,
  actions: Int32Array | Float32Array,
  logProbs: Float32Array,
): Float32Array {
  return Float32Array.from(logProbs, (before, i) => {
    if (kind === "categorical") return rows[i * count + actions[i]!]! - logSumExp(rows, i * count, count) - before;
    let now = 0;
    for (let a = 0; a < count; a++) {
      const [mean, logStd] = [rows[2 * i * count + a]!, rows[(2 * i + 1) * count + a]!];
      now -= 0.5 * ((actions[i * count + a]! - mean) / Math.exp(logStd)) ** 2 + logStd + 0.5 * Math.log(2 * Math.PI);
    }
    return now - before;
  });
}

/**
 * Mean KL(old || new) over the samples, exact, in float64; not negative.
 * @param old [S, W] logits, or means and log standard deviations
 * @param now the same of the new policy
 */
export function meanKl(distribution: Distribution, old: Float32Array, now: Float32Array): number {
  const { kind, actions } = distribution;
  const width = distributionWidth(distribution);
  const kl = kind === "categorical" ? categoricalKl : gaussianKl;
  let sum = 0;
  for (let at = 0; at < old.length; at += width) sum += kl(old, now, at, actions);
  return Math.max(0, sum / (old.length / width));
}

function categoricalKl(old: Float32Array, now: Float32Array, at: number, actions: number): number {
  const [oldSum, newSum] = [logSumExp(old, at, actions), logSumExp(now, at, actions)];
  let kl = 0;
  for (let a = at; a < at + actions; a++) {
    const logProb = old[a]! - oldSum;
    kl += Math.exp(logProb) * (logProb - (now[a]! - newSum));
  }
  return kl;
}

function gaussianKl(old: Float32Array, now: Float32Array, at: number, actions: number): number {
  let kl = 0;
  for (let a = at; a < at + actions; a++) {
    const logRatio = old[a + actions]! - now[a + actions]!;
    const distance = (old[a]! - now[a]!) / Math.exp(now[a + actions]!);
    kl += 0.5 * Math.expm1(2 * logRatio) - logRatio + 0.5 * distance ** 2;
  }
  return kl;
}

function logSumExp(x: Float32Array, at: number, count: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = at; i < at + count; i++) most = Math.max(most, x[i]!);
  let sum = 0;
  for (let i = at; i < at + count; i++) sum += Math.exp(x[i]! - most);
  return most + Math.log(sum);
}
