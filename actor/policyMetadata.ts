import protobuf from "protobufjs";
import { messageOf, OperatorError } from "../shared/errors.ts";

/** In onnx.proto: ModelProto.metadata_props = 14, repeated { string key = 1, value = 2 }; all length-delimited (2). */
const metadataTag = (14 << 3) | 2;
const keyTag = (1 << 3) | 2;
const valueTag = (2 << 3) | 2;

/**
 * The metadata of an ONNX file, `anchorage.version` among them (shared/policySnapshot.ts): onnxruntime gives them to C++
 * and Python, not to Node. Everything else is skipped, not decoded. Throws CORRUPT where the bytes are no such file.
 */
export function policyMetadata(bytes: Uint8Array, source: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  try {
    const reader = protobuf.Reader.create(bytes);
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === metadataTag) readEntry(protobuf.Reader.create(reader.bytes()), found);
      else reader.skipType(tag & 7);
    }
  } catch (cause) {
    const problem = `${source} is not an ONNX file: ${messageOf(cause)}.`;
    throw new OperatorError("CORRUPT", problem, "Export the policy again.", { cause });
  }
  return found;
}

function readEntry(reader: protobuf.Reader, found: Map<string, string>): void {
  let key = "";
  let value = "";
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === keyTag) key = reader.string();
    else if (tag === valueTag) value = reader.string();
    else reader.skipType(tag & 7);
  }
  found.set(key, value);
}
