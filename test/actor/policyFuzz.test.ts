import fc from "fast-check";
import protobuf from "protobufjs";
import { expect, it } from "vitest";
import { Policy } from "../../actor/policy.ts";
import { policyMetadata } from "../../actor/policyMetadata.ts";
import { cases } from "../shared/fuzzCases.ts";
import { continuousSpec, stackedSpec } from "../shared/sampleRollout.ts";
import { tinyPolicy } from "./tinyPolicy.ts";

const some = (most: number) => fc.uint8Array({ minLength: 1, maxLength: most });
const damages = (good: Buffer): fc.Arbitrary<Buffer> => {
  const place = fc.nat(good.length - 1);
  return fc.oneof(
    fc.tuple(place, some(8)).map(([at, bytes]) => Buffer.concat([good.subarray(0, at), bytes])), // and nothing after
    fc
      .tuple(place, some(8))
      .map(([at, bytes]) => Buffer.concat([good.subarray(0, at), bytes, good.subarray(at + bytes.length)])),
    fc.tuple(place, some(64)).map(([at, bytes]) => Buffer.concat([good.subarray(0, at), bytes, good.subarray(at)])),
    fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
  );
};

it.each([
  ["floats", continuousSpec],
  ["frames", stackedSpec],
] as const)(
  "a policy over %s with bytes changed, cut off, added or made up is refused in words, or runs; the process lives on",
  async (_what, spec) => {
    const good = Buffer.from(tinyPolicy(spec, 1).bytes);
    let refused = 0;
    const property = fc.asyncProperty(damages(good), async (bad) => {
      const outcome = await Policy.load(bad, spec, 2, "policy 7").then(
        (policy) => policy.close(),
        (error: Error) => error.message,
      );
      if (outcome === undefined) return; // such as another weight
      refused++;
      expect(outcome).toMatch(/^\[(CORRUPT|MISMATCH)\] policy 7/);
    });
    await fc.assert(property, cases(300));
    expect(refused).toBeGreaterThan(cases(300).numRuns / 2);
    const policy = await Policy.load(good, spec, 2, "policy 1");
    await policy.run();
    await policy.close();
  },
);

/** An ONNX file as far as its metadata go; what else it holds is skipped. */
const { root } = protobuf.parse(
  `syntax = "proto3";
  message Model { int64 ir_version = 1; bytes graph = 7; repeated Entry metadata_props = 14; }
  message Entry { string key = 1; string value = 2; }`,
  { keepCase: true },
);
const Model = root.lookupType("Model");
const entries = fc.array(fc.record({ key: fc.string(), value: fc.string({ unit: "grapheme" }) }), { maxLength: 5 });
const encoded = (metadata_props: object[], graph: Uint8Array): Buffer =>
  Buffer.from(Model.encode(Model.fromObject({ ir_version: 8, graph, metadata_props })).finish());

it("the metadata of an ONNX file are read as they were written, the last of each key", () => {
  fc.assert(
    fc.property(entries, some(200), (written, graph) => {
      const read = policyMetadata(encoded(written, graph), "policy 7");
      expect(read).toEqual(new Map(written.map(({ key, value }) => [key, value])));
    }),
    cases(500),
  );
});

const written = [
  { key: "anchorage.version", value: "12" },
  { key: "anchorage.env", value: "Pong-v5" },
];
const good = encoded(written, Buffer.alloc(40, 1));

it("the metadata of anything else are texts that stand in it, or it is refused in words", () => {
  let refused = 0;
  let texts = 0;
  fc.assert(
    fc.property(damages(good), (bad) => {
      let read: ReadonlyMap<string, string>;
      try {
        read = policyMetadata(bad, "policy 7");
      } catch (error) {
        expect(String(error)).toMatch(/^OperatorError: \[CORRUPT\] policy 7 is not an ONNX file: .{1,200}\. Export/);
        refused++;
        return;
      }
      for (const text of [...read].flat()) {
        if (!text.includes("\ufffd")) expect(bad.includes(text), text).toBe(true); // \ufffd: it was no UTF-8
        texts++;
      }
    }),
    cases(2_000),
  );
  expect(Math.min(refused, texts)).toBeGreaterThan(cases(2_000).numRuns / 20);
});

it("kept: a number where the metadata should be is not read as a length", () => {
  const number = Buffer.from([14 << 3, 5]);
  expect([...policyMetadata(Buffer.concat([number, good]), "it")]).toEqual(written.map(Object.values));
  const inEntry = Buffer.from([(14 << 3) | 2, 4, 2 << 3, 1, 1 << 3, 2]);
  expect([...policyMetadata(inEntry, "it")]).toEqual([["", ""]]);
});

it("kept: lengths beyond the file's end, and groups within groups, are refused at once", () => {
  const huge = Buffer.from([(14 << 3) | 2, 0xff, 0xff, 0xff, 0xff, 0x0f]);
  const groups = Buffer.alloc(1_000_000, (1 << 3) | 3); // starts only
  for (const bytes of [huge, groups]) expect(() => policyMetadata(bytes, "it")).toThrow(/CORRUPT.*not an ONNX file/);
});
