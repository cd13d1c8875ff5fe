import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkResume, decodeCheckpoint } from "../../learner/checkpoint.ts";
import { decodeTensorFile, encodeTensorFile } from "../../learner/safetensors.ts";
import type { NamedTensor } from "../../learner/trainer.ts";
import { sampleCheckpoint } from "./sampleCheckpoint.ts";
import { sha256Hex } from "./syntheticRollout.ts";

const f32 = (...values: number[]): NamedTensor => ({
  dtype: "F32",
  shape: [values.length],
  data: new Uint8Array(Float32Array.from(values).buffer),
});

const sample = sampleCheckpoint();
const { config } = sample;
const { fingerprint: own } = sample.parts.metadata;
const terms = { runId: "run-1", config, fingerprint: own, acceptOtherFingerprint: false };

const contents = (tensors: Readonly<Record<string, NamedTensor>>) =>
  Object.fromEntries(Object.entries(tensors).map(([name, { data, ...rest }]) => [name, { ...rest, data: [...data] }]));

describe("a checkpoint", () => {
  it("gives back everything that was put in", () => {
    const read = decodeCheckpoint(sample.bytes);
    const written = sample.parts;
    expect(read.metadata).toMatchObject({ ...written.metadata, updates: 5, rounds: [5, 5], formatVersion: 1 });
    expect(read.trainer.updates).toBe(written.trainer.updates);
    expect(contents(read.trainer.tensors)).toEqual(contents(written.trainer.tensors));
    expect(read.policies.map((p) => ({ ...p, bytes: Buffer.from(p.bytes) }))).toEqual(written.policies);
    expect(read.starts.map(({ state }) => Buffer.from(state!.bytes))).toEqual(
      written.starts.map(({ state }) => state!.bytes),
    );
    expect(checkResume(read, terms)).toEqual([]);
  });

  it("gives tensors memory of their own, aligned for every dtype", () => {
    const written = sample.parts.trainer.tensors;
    const read = decodeCheckpoint(sample.bytes).trainer.tensors;
    expect(new Set(Object.values(read).map(({ dtype }) => dtype))).toEqual(new Set(["F32", "F64", "I64"]));
    for (const [name, { data }] of Object.entries(read))
      expect([name, data.byteOffset, data.buffer.byteLength]).toEqual([name, 0, written[name]!.data.length]);
  });

  it("with any byte changed, cut off or added is refused as damaged", () => {
    const good = sample.bytes;
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, xor) => {
        const bad = Buffer.from(good);
        bad[at] = bad[at]! ^ xor;
        expect(() => decodeCheckpoint(bad)).toThrow(/^\[(CORRUPT|MISMATCH)\]/);
      }),
      { numRuns: 2000, seed: 3 },
    );
    for (let cut = 0; cut < good.length; cut += 7)
      expect(() => decodeCheckpoint(good.subarray(0, cut))).toThrow(/CORRUPT/);
    expect(() => decodeCheckpoint(Buffer.concat([good, Buffer.alloc(1)]))).toThrow(/1 bytes belong to no tensor/);
  });

  it("of a newer format is refused with the build that can read it", () => {
    const { metadata, tensors } = decodeTensorFile(sample.bytes);
    const newer = encodeTensorFile({ metadata: { ...metadata, formatVersion: "2" }, tensors });
    expect(() => decodeCheckpoint(newer)).toThrow(/\[MISMATCH\].*format 2, this build reads up to 1.*0\.1\.0\+test/);
  });

  it("of another run or config is refused with both values", () => {
    const checkpoint = decodeCheckpoint(sample.bytes);
    expect(() => checkResume(checkpoint, { ...terms, runId: "run-2" })).toThrow(/of run run-1, this is run run-2/);
    const other = { ...config, totalSteps: config.totalSteps * 2 };
    expect(() => checkResume(checkpoint, { ...terms, config: other })).toThrow(/totalSteps 128 against 256/);
  });

  it("of another machine is refused by name, and accepted on demand as not reproducible", () => {
    const checkpoint = decodeCheckpoint(sample.bytes);
    const elsewhere = { ...own, cpu: "Another CPU" };
    expect(() => checkResume(checkpoint, { ...terms, fingerprint: elsewhere })).toThrow(
      /cpu: .* against Another CPU.*otherFingerprint=accept/,
    );
    const differences = checkResume(checkpoint, { ...terms, fingerprint: elsewhere, acceptOtherFingerprint: true });
    expect(differences).toEqual([expect.stringMatching(/^cpu: /)]);
  });
});

describe("a tensor file", () => {
  const dtypes = { F64: 8, F32: 4, I64: 8, I32: 4, U8: 1 } as const;
  const tensor = fc
    .record({
      dtype: fc.constantFrom(...(Object.keys(dtypes) as (keyof typeof dtypes)[])),
      shape: fc.array(fc.nat(4), { maxLength: 3 }),
    })
    .chain(({ dtype, shape }) => {
      const bytes = shape.reduce((a, b) => a * b, 1) * dtypes[dtype];
      return fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((data): NamedTensor => ({ dtype, shape, data }));
    });

  it("keeps any tensors and any text, and aligns every tensor to its elements", () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ minLength: 1 }).filter((name) => !["__metadata__", "__proto__"].includes(name)),
          tensor,
          { maxKeys: 6 },
        ),
        fc.dictionary(
          fc.string().filter((key) => key !== "__proto__"),
          fc.string(),
          { maxKeys: 4 },
        ),
        (tensors, metadata) => {
          const bytes = encodeTensorFile({ tensors, metadata });
          const read = decodeTensorFile(bytes);
          expect(read.metadata).toEqual(metadata);
          expect(Object.keys(read.tensors).sort()).toEqual(Object.keys(tensors).sort());
          for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
            expect(read.tensors[name]).toMatchObject({ dtype, shape });
            expect(Buffer.from(read.tensors[name]!.data).equals(Buffer.from(data))).toBe(true);
            expect((read.tensors[name]!.data.byteOffset - bytes.byteOffset) % dtypes[dtype]).toBe(0);
          }
        },
      ),
      { numRuns: 300, seed: 5 },
    );
  });

  it("is laid out as the safetensors format says: header length, JSON, bytes", () => {
    const bytes = Buffer.from(encodeTensorFile({ metadata: { a: "b" }, tensors: { x: f32(1, 2) } }));
    const length = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
    expect(length % 8).toBe(0);
    expect(header).toEqual({
      __metadata__: { a: "b", "anchorage.sha256": expect.stringMatching(/^[0-9a-f]{64}$/) },
      x: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
    });
    expect(bytes.length).toBe(8 + length + 8);
    expect(
      createHash("sha256")
        .update(bytes.subarray(8 + length))
        .digest("hex"),
    ).toBe(sha256Hex(Buffer.from(Float32Array.of(1, 2).buffer)));
  });
});
