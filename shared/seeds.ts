/**
 * Every random number of a run comes from here: Philox-4x32-10, a counter-based generator (Salmon et al. 2011,
 * "Parallel Random Numbers: As Easy as 1, 2, 3"). A number is a function of (seed, stream, counters): nothing has to
 * be carried along, so any process can make the number that belongs to a step. native/src/engine/random.h is its twin.
 */

/** The last counter word: keeps the uses apart that share a key. */
export const stream = {
  environment: 1,
  action: 2,
  shuffle: 3,
  initialisation: 4,
  episode: 5,
  evaluation: 6,
  report: 7,
} as const;
export type Stream = (typeof stream)[keyof typeof stream];

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** High 32 bits of a 32x32-bit product. */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const cross = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(cross / 65536)) >>> 0;
}

/** One Philox-4x32-10 block: writes four uint32 to `out`. `seed` is the 64-bit key. */
export function philox(seed: bigint, c0: number, c1: number, c2: number, c3: number, out: Uint32Array): void {
  philoxWords(Number(seed & 0xffffffffn), Number((seed >> 32n) & 0xffffffffn), c0, c1, c2, c3, out);
}

/** `philox` with the key as two words, for inner loops. */
export function philoxWords(
  keyLow: number,
  keyHigh: number,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  out: Uint32Array,
): void {
  let k0 = keyLow >>> 0;
  let k1 = keyHigh >>> 0;
  let x0 = c0 >>> 0;
  let x1 = c1 >>> 0;
  let x2 = c2 >>> 0;
  let x3 = c3 >>> 0;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(M0, x0);
    const low0 = Math.imul(M0, x0);
    const high1 = mulHigh(M1, x2);
    const low1 = Math.imul(M1, x2);
    x0 = (high1 ^ x1 ^ k0) >>> 0;
    x1 = low1 >>> 0;
    x2 = (high0 ^ x3 ^ k1) >>> 0;
    x3 = low0 >>> 0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
}

/** 53-bit uniform in [0, 1) from two words. */
export function uniformFrom(high: number, low: number): number {
  return ((high >>> 5) * 67108864 + (low >>> 6)) / 9007199254740992;
}

/** Box-Muller; u1 in [0, 1) and u2 in [0, 1) give one standard normal. */
export function normalFrom(u1: number, u2: number): number {
  return Math.sqrt(-2 * Math.log(1 - u1)) * Math.cos(2 * Math.PI * u2);
}

/** The seed of environment `index` of a run: the root of its episodes' randomness. */
export function environmentSeed(runSeed: number, index: number, use: Stream = stream.environment): bigint {
  const out = new Uint32Array(4);
  philox(BigInt(runSeed), index, 0, 0, use, out);
  return (BigInt(out[1]!) << 32n) | BigInt(out[0]!);
}

/** A fresh permutation of 0..length-1, a function of (seed, update, epoch): Fisher-Yates, unbiased by rejection. */
export function shuffledIndices(runSeed: number, update: number, epoch: number, length: number): Int32Array {
  const indices = Int32Array.from({ length }, (_, i) => i);
  const words = new Uint32Array(4);
  const keyLow = runSeed % 4294967296;
  const keyHigh = Math.floor(runSeed / 4294967296);
  let block = 0;
  let used = 4;
  const nextWord = (): number => {
    if (used === 4) {
      philoxWords(keyLow, keyHigh, block++, update, epoch, stream.shuffle, words);
      used = 0;
    }
    return words[used++]!;
  };
  for (let i = length - 1; i > 0; i--) {
    const bound = i + 1;
    const limit = Math.floor(4294967296 / bound) * bound;
    let word = nextWord();
    while (word >= limit) word = nextWord();
    const j = word % bound;
    const held = indices[i]!;
    indices[i] = indices[j]!;
    indices[j] = held;
  }
  return indices;
}
