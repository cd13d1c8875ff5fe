import { crc32c } from "@node-rs/crc32";
import fc from "fast-check";
import { expect, it } from "vitest";
import { decodeStates, type EnvironmentState, encodeStates } from "../../actor/typescriptEnvState.ts";
import type { EnvironmentSpec } from "../../shared/environment.ts";
import { OperatorError } from "../../shared/errors.ts";
import { cases } from "../shared/fuzzCases.ts";
import { continuousSpec } from "../shared/sampleRollout.ts";

const elementBytes = { uint8: 1, float32: 4, float64: 8 };
const specs = (["uint8", "float32", "float64"] as const).map(
  (dtype): EnvironmentSpec => ({ ...continuousSpec, observation: { dtype, shape: [3], frameStack: null } }),
);
const observationBytes = (spec: EnvironmentSpec): number => 3 * elementBytes[spec.observation.dtype];
const decoded = (bytes: Uint8Array, spec: EnvironmentSpec, size: number): EnvironmentState[] =>
  decodeStates(bytes, spec, size, observationBytes(spec));

/** Numbers of an observation, as the bytes of `spec`'s dtype. */
function observationOf({ observation: { dtype } }: EnvironmentSpec, numbers: readonly number[]): Uint8Array {
  if (dtype === "uint8") return Uint8Array.from(numbers);
  const floats = dtype === "float32" ? Float32Array.from(numbers) : Float64Array.from(numbers);
  return new Uint8Array(floats.buffer);
}

const count = fc.maxSafeNat();
const stateOf = (spec: EnvironmentSpec): fc.Arbitrary<EnvironmentState> =>
  fc.record({
    seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    episode: count,
    draws: count,
    length: fc.nat(0x7ffffffe),
    return: fc.double({ noNaN: true, noDefaultInfinity: true }),
    observation: fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255)).map((numbers) => observationOf(spec, numbers)),
    state: fc.uint8Array({ maxLength: 40 }),
  });
const batches = fc
  .constantFrom(...specs)
  .chain((spec) =>
    fc.record({ spec: fc.constant(spec), states: fc.array(stateOf(spec), { minLength: 1, maxLength: 3 }) }),
  );

/** What comes back is in the ranges of what it is for, so that nothing that uses it can be surprised. */
function checkRanges(spec: EnvironmentSpec, { episode, draws, length, return: sum, observation }: EnvironmentState) {
  for (const value of [episode, draws, length]) expect(Number.isSafeInteger(value) && value >= 0).toBe(true);
  expect(length).toBeLessThanOrEqual(0x7ffffffe);
  expect(Number.isFinite(sum)).toBe(true);
  const { dtype } = spec.observation;
  const view = new DataView(Uint8Array.from(observation).buffer);
  for (let at = 0; at < observation.length; at += elementBytes[dtype])
    if (dtype !== "uint8")
      expect(Number.isFinite(dtype === "float32" ? view.getFloat32(at, true) : view.getFloat64(at, true))).toBe(true);
}

it("the states of an EnvBatch come back as they were", () => {
  fc.assert(
    fc.property(batches, ({ spec, states }) => {
      const got = decoded(encodeStates(spec, states), spec, states.length);
      expect(got.map((state) => ({ ...state, observation: Uint8Array.from(state.observation) }))).toEqual(states);
    }),
    cases(300),
  );
});

const doubles = [Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5, 2 ** 53, 2 ** 31, 1e308, -0];
const numbers = fc.oneof(
  fc.constantFrom(0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1).map((value) => Buffer.from(Uint32Array.of(value).buffer)),
  fc.constantFrom(...doubles).map((value) => Buffer.from(Float64Array.of(value).buffer)),
  fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
);
const damage = fc.record({
  kind: fc.constantFrom("changed", "changed", "changed", "cut", "added", "made up"),
  where: fc.constantFrom("at a field", "at a field", "at a field", "anywhere", "in the header"),
  place: fc.nat(),
  bytes: numbers,
  signed: fc.integer({ min: 0, max: 9 }).map((n) => n > 0), // its checksum is made to fit: that is no proof against malice
});

/** Where the fields of the states begin: seed, episode, draws, length, return, observation, state's length, state. */
function fieldPlaces(good: Buffer, states: readonly EnvironmentState[]): number[] {
  const places: number[] = [];
  let at = 12 + good.readUInt32LE(8); // magic and length of the header, the header
  for (const { observation, state } of states) {
    const tail = at + 40 + observation.length;
    places.push(...[0, 8, 16, 24, 32, 40].map((offset) => at + offset), tail, tail + 4);
    at = tail + 4 + state.length;
  }
  return places;
}

type Damage = typeof damage extends fc.Arbitrary<infer D> ? D : never;
function damaged(good: Buffer, states: readonly EnvironmentState[], { kind, where, place, bytes, signed }: Damage) {
  const body = good.subarray(0, -4);
  const places = fieldPlaces(good, states);
  const within = ({ "in the header": places[0]!, anywhere: body.length } as Record<string, number>)[where];
  const at = within === undefined ? places[place % places.length]! : place % within;
  const [before, after] = [body.subarray(0, at), body.subarray(at)];
  const made = {
    changed: [before, bytes, after.subarray(bytes.length)],
    cut: [before, bytes],
    added: [before, bytes, after],
    "made up": [good.subarray(0, 8), bytes, bytes, bytes],
  }[kind]!;
  const bad = Buffer.concat(made);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(crc32c(bad));
  return Buffer.concat([bad, signed ? checksum : good.subarray(-4)]);
}

it("damaged states, with a checksum that fits or not, are refused in words, or are exactly what the bytes say", () => {
  let refused = 0;
  let taken = 0;
  fc.assert(
    fc.property(batches, damage, ({ spec, states }, how) => {
      const good = Buffer.from(encodeStates(spec, states));
      const bad = damaged(good, states, how);
      let got: EnvironmentState[];
      try {
        got = decoded(bad, spec, states.length);
      } catch (error) {
        expect(error).toBeInstanceOf(OperatorError);
        expect(String(error)).toMatch(how.signed ? /\[(CORRUPT|MISMATCH)\]/ : /\[CORRUPT\]/);
        expect((error as OperatorError).problem.length).toBeLessThan(2_000);
        refused++;
        return;
      }
      expect(got).toHaveLength(states.length);
      for (const state of got) checkRanges(spec, state);
      expect(Buffer.from(encodeStates(spec, got)).equals(bad)).toBe(true); // no byte more, none unread
      taken++;
    }),
    cases(3_000),
  );
  expect(refused).toBeGreaterThan(cases(3_000).numRuns / 4);
  expect(taken).toBeGreaterThan(cases(3_000).numRuns / 50);
});

it("any bytes are refused in words", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...specs), (bytes, spec) => {
      expect(() => decoded(bytes, spec, 2)).toThrow(/\[CORRUPT\]/);
    }),
    cases(1_000),
  );
});

it("kept: a state that claims 4 GiB asks for no memory", () => {
  const [spec] = specs;
  const [one] = fc.sample(stateOf(spec!), { seed: 1, numRuns: 1 });
  const good = Buffer.from(encodeStates(spec!, [one!]));
  const body = good.subarray(0, -4);
  body.writeUInt32LE(0xffffffff, body.length - one!.state.length - 4);
  good.writeUInt32LE(crc32c(body), body.length);
  const before = process.memoryUsage().rss;
  expect(() => decoded(good, spec!, 1)).toThrow(/CORRUPT.*ends within environment 0/);
  expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
});
