import { createHash } from "node:crypto";
import { z } from "zod";
import { messageOf, OperatorError } from "../shared/errors.ts";
import type { NamedTensor } from "./trainer.ts";

/**
 * The safetensors format (github.com/huggingface/safetensors): 8 bytes header length, little-endian; a JSON header
 * {name: {dtype, shape, data_offsets}} with string metadata under __metadata__, padded with spaces to 8 bytes; then the
 * tensors' bytes, without holes. Readable by the safetensors packages of Python, Rust and JavaScript.
 */
export interface TensorFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: Readonly<Record<string, NamedTensor>>;
}

const elementBytes = { F64: 8, F32: 4, I64: 8, I32: 4, U8: 1 } as const;
const Entry = z.strictObject({
  dtype: z.enum(["F64", "F32", "I64", "I32", "U8"]),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
const Header = z.record(z.string(), z.unknown());
const Metadata = z.record(z.string(), z.string());

/** Checked by the decoder: sha256 over the header without this entry, as JSON with the tensors sorted, and the data. */
const checksumKey = "anchorage.sha256";
/** 4096 EnvBatches need 1 MB. V8 parses so much of anything, brackets in brackets included, within its memory. */
const maxHeaderBytes = 16 * 1024 * 1024;

/** Tensors are laid out by element size, largest first, then by name, so that all are aligned. Throws SHAPE. */
export function encodeTensorFile(file: TensorFile): Uint8Array {
  const names = Object.keys(file.tensors).sort((a, b) => {
    const size = elementBytes[file.tensors[b]!.dtype] - elementBytes[file.tensors[a]!.dtype];
    return size !== 0 ? size : a < b ? -1 : 1;
  });
  const entries: Record<string, z.infer<typeof Entry>> = {};
  let end = 0;
  for (const name of names) {
    const { dtype, shape, data } = file.tensors[name]!;
    checkSize(name, dtype, shape, data.length);
    entries[name] = { dtype, shape: [...shape], data_offsets: [end, end + data.length] };
    end += data.length;
  }
  const parts = names.map((name) => file.tensors[name]!.data);
  const checksum = checksumOf(entries, file.metadata, parts);
  const metadata = { ...file.metadata, [checksumKey]: checksum };
  const json = Buffer.from(JSON.stringify({ __metadata__: metadata, ...entries }));
  const header = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, " ");
  header.writeBigUInt64LE(BigInt(header.length - 8));
  json.copy(header, 8);
  return Buffer.concat([header, ...parts]);
}

/** The tensors view `bytes`. Throws CORRUPT on anything that is not exactly what `encodeTensorFile` writes. */
export function decodeTensorFile(bytes: Uint8Array): TensorFile {
  const { header, data } = splitHeader(bytes);
  const { __metadata__: rawMetadata, ...rawEntries } = header;
  const { [checksumKey]: checksum, ...metadata } = parsed(Metadata, rawMetadata, "__metadata__");
  const entries: Record<string, z.infer<typeof Entry>> = {};
  for (const [name, raw] of Object.entries(rawEntries)) entries[name] = parsed(Entry, raw, name);
  // An empty tensor shares its begin with the next one.
  const ordered = Object.entries(entries).sort(
    ([, { data_offsets: a }], [, { data_offsets: b }]) => a[0] - b[0] || a[1] - b[1],
  );
  const tensors: Record<string, NamedTensor> = {};
  let expected = 0;
  for (const [name, { dtype, shape, data_offsets }] of ordered) {
    const [begin, end] = data_offsets;
    if (begin !== expected || end < begin || end > data.length)
      throw corrupt(
        `tensor ${name} claims bytes ${begin}..${end}, expected from ${expected} up to ${data.length} at most`,
      );
    checkSize(name, dtype, shape, end - begin);
    tensors[name] = { dtype, shape, data: data.subarray(begin, end) };
    expected = end;
  }
  if (expected !== data.length) throw corrupt(`${data.length - expected} bytes belong to no tensor`);
  const found = checksumOf(entries, metadata, [data]);
  if (checksum !== found) throw corrupt(`its checksum is ${found}, the header says ${checksum}`);
  return { metadata, tensors };
}

function splitHeader(bytes: Uint8Array): { header: Record<string, unknown>; data: Uint8Array } {
  if (bytes.length < 8) throw corrupt(`it has ${bytes.length} bytes`);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length > maxHeaderBytes || 8 + length > bytes.length)
    throw corrupt(`its header claims ${length} bytes, the file has ${bytes.length}`);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + 8, length).toString("utf8");
  try {
    const json = Header.parse(JSON.parse(text));
    // JSON.parse takes the last of several equal keys, and what it passed over would be in no checksum.
    if (JSON.stringify(json).padEnd(text.length) !== text || text.includes('"__proto__":'))
      throw new Error("it has a key twice or is not written plainly");
    return { header: json, data: bytes.subarray(8 + length) };
  } catch (cause) {
    throw corrupt(`its header is not a JSON object: ${messageOf(cause)}`, { cause });
  }
}

function parsed<T>(schema: z.ZodType<T>, value: unknown, name: string): T {
  const result = schema.safeParse(value);
  if (!result.success) throw corrupt(`header entry ${name}: ${z.prettifyError(result.error)}`);
  return result.data;
}

function checkSize(name: string, dtype: keyof typeof elementBytes, shape: readonly number[], bytes: number): void {
  const want = shape.reduce((product, extent) => product * extent, 1) * elementBytes[dtype];
  if (bytes !== want)
    throw corrupt(`tensor ${name}, ${dtype} [${shape.join(", ")}], has ${bytes} bytes, expected ${want}`);
}

function checksumOf(
  entries: Record<string, z.infer<typeof Entry>>,
  metadata: Readonly<Record<string, string>>,
  data: readonly Uint8Array[],
): string {
  const byName = <T>(record: Readonly<Record<string, T>>): [string, T][] =>
    Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
  const outline = byName(entries).map(([name, e]) => [name, e.dtype, e.shape, e.data_offsets]);
  const hash = createHash("sha256").update(JSON.stringify([byName(metadata), outline]));
  for (const part of data) hash.update(part);
  return hash.digest("hex");
}

function corrupt(what: string, options?: ErrorOptions): OperatorError {
  const remedy = "Resume from another checkpoint of this run.";
  return new OperatorError("CORRUPT", `The checkpoint is damaged: ${what}.`, remedy, options);
}
