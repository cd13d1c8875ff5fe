import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeCheckpoint, encodeCheckpoint } from "../../learner/checkpoint.ts";
import { decodeTensorFile, encodeTensorFile } from "../../learner/safetensors.ts";
import { decodeTrainerState } from "../../learner/trainerState.ts";
import { OperatorError } from "../../shared/errors.ts";
import { sampleCheckpoint } from "./sampleCheckpoint.ts";

/** Whatever the bytes are: a value, or an error that says what is wrong; nothing else may be thrown. */
function refusedOr<T>(read: () => T): T | OperatorError {
  try {
    return read();
  } catch (error) {
    expect(error).toBeInstanceOf(OperatorError);
    expect(["CORRUPT", "MISMATCH"]).toContain((error as OperatorError).code);
    expect((error as OperatorError).message.length).toBeLessThan(5000);
    return error as OperatorError;
  }
}
const refused = (read: () => unknown): void => expect(refusedOr(read)).toBeInstanceOf(OperatorError);

/** A file with that header text and data; `claimed`: the header's length as the file says it. */
function fileOf(header: string, data = new Uint8Array(0), claimed?: bigint): Buffer {
  const json = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimed ?? BigInt(json.length));
  return Buffer.concat([length, json, data]);
}
const entry = (begin: number, end: number, shape = [end - begin]): object => ({
  dtype: "U8",
  shape,
  data_offsets: [begin, end],
});
const header = (tensors: Record<string, object>): string =>
  JSON.stringify({ __metadata__: { "anchorage.sha256": "00" }, ...tensors });

describe("bytes that are no checkpoint are refused", () => {
  it("whatever they are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        refused(() => decodeCheckpoint(bytes));
      }),
      { seed: 1, numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.json(), fc.uint8Array({ maxLength: 50 }), (json, data) => {
        refused(() => decodeCheckpoint(fileOf(json, data)));
      }),
      { seed: 2, numRuns: 1000 },
    );
  });

  it.each([0n, 7n, 1n << 24n, 1n << 31n, 1n << 53n, (1n << 64n) - 1n])("a header that claims %i bytes", (claimed) =>
    refused(() => decodeTensorFile(fileOf("{}", new Uint8Array(100), claimed))),
  );

  it.each<[string, Record<string, object>]>([
    ["that overlap", { a: entry(0, 6), b: entry(4, 10) }],
    ["with a hole between", { a: entry(0, 4), b: entry(5, 10) }],
    ["that end before they begin", { a: entry(6, 2, [4]), b: entry(2, 10) }],
    ["beyond the end", { a: entry(0, 11) }],
    ["of a size that no number holds", { a: entry(0, 10, [2 ** 52, 2 ** 52, 2 ** 52]) }],
    ["whose size overflows to nothing", { a: entry(0, 10, [2 ** 53 - 1, 2 ** 53 - 1, 0]) }],
    ["of a negative extent", { a: entry(0, 10, [-10]) }],
    ["of an unknown dtype", { a: { ...entry(0, 10), dtype: "F8" } }],
    ["with a field too many", { a: { ...entry(0, 10), next: 1 } }],
  ])("tensors %s", (_what, tensors) => refused(() => decodeTensorFile(fileOf(header(tensors), new Uint8Array(10)))));

  it("a key twice, also where the last one is right; a key that would be a prototype", () => {
    const good = Buffer.from(encodeTensorFile({ metadata: { a: "b" }, tensors: {} }));
    const text = good.subarray(8).toString().trimEnd();
    expect(refusedOr(() => decodeTensorFile(fileOf(text)))).toMatchObject({ metadata: { a: "b" } });
    refused(() => decodeTensorFile(fileOf(text.replace('{"a"', '{"a":"c","a"'))));
    refused(() => decodeTensorFile(fileOf(text.replace('{"__m', '{"__metadata__":{},"__m'))));
    refused(() => decodeTensorFile(fileOf(text.replace('{"a"', '{"__proto__":"c","a"'))));
    refused(() => decodeTensorFile(fileOf(text.replace('{"__m', '{"__proto__":{},"__m'))));
    refused(() => decodeTensorFile(fileOf(`${text}\n`)));
  });

  it("brackets in brackets, a hundred thousand deep", () => {
    for (const [open, close] of [
      ["[", "]"],
      ['{"a":', "}"],
    ] as const) {
      const bomb = `{"a":${open.repeat(1e5)}1${close.repeat(1e5)}}`;
      refused(() => decodeTensorFile(fileOf(bomb)));
      // behind the right checksum, as a metadata value
      const { tensors, metadata } = decodeTensorFile(sampleCheckpoint().bytes);
      refused(() => decodeCheckpoint(encodeTensorFile({ tensors, metadata: { ...metadata, config: bomb } })));
    }
  });
});

describe("a checkpoint with the right checksum", () => {
  const { bytes, parts, outline } = sampleCheckpoint();
  const file = decodeTensorFile(bytes);
  const read = (changed: Uint8Array): unknown => {
    const checkpoint = decodeCheckpoint(changed);
    decodeTrainerState(checkpoint.trainer, outline);
    return encodeCheckpoint(checkpoint);
  };
  it("is read as it was written", () => expect(Buffer.from(encodeCheckpoint(parts)).equals(bytes)).toBe(true));

  it("whose metadata hold anything at all is refused, or is one that could have been written", () => {
    const key = fc.constantFrom(...Object.keys(file.metadata));
    fc.assert(
      fc.property(key, fc.oneof(fc.json(), fc.string()), (name, value) => {
        const changed = encodeTensorFile({ ...file, metadata: { ...file.metadata, [name]: value } });
        refusedOr(() => read(changed));
      }),
      { seed: 3, numRuns: 1500 },
    );
    for (const name of Object.keys(file.metadata)) {
      const { [name]: _, ...rest } = file.metadata;
      // `config` is for people, everything else is needed
      if (name !== "config") refused(() => read(encodeTensorFile({ ...file, metadata: rest })));
    }
  });

  it("whose tensors are missing, too many, of another dtype or shape is refused", () => {
    for (const [name, tensor] of Object.entries(file.tensors)) {
      const { [name]: _, ...rest } = file.tensors;
      refused(() => read(encodeTensorFile({ ...file, tensors: rest })));
      const odd = { ...tensor, dtype: "U8" as const, shape: [1, tensor.data.length] };
      if (tensor.dtype !== "U8") refused(() => read(encodeTensorFile({ ...file, tensors: { ...rest, [name]: odd } })));
      const short = { dtype: "U8" as const, shape: [1], data: tensor.data.subarray(0, 1) };
      refused(() => read(encodeTensorFile({ ...file, tensors: { ...rest, [name]: short } })));
    }
    const more = { ...file.tensors, "trainer.more": file.tensors["trainer.adam.step"]! };
    refused(() => read(encodeTensorFile({ ...file, tensors: more })));
  });
});
