import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import { projectRoot } from "../shared/nativeParts.ts";

/** The .proto file stays beside the source, also for the build in dist/. */
const file = ((): string => {
  const beside = fileURLToPath(new URL("onnx.proto", import.meta.url));
  return existsSync(beside) ? beside : join(projectRoot, "learner", "onnx.proto");
})();
const modelType = protobuf.loadSync(file).lookupType("onnx.ModelProto");

/** ONNX's numbers of the element types that we use. */
export const elementType = { float32: 1, uint8: 2, int64: 7 } as const;
export type ElementType = keyof typeof elementType;

/** Extents, with a name for what is not fixed. */
export type SymbolicShape = readonly (number | string)[];

export interface Value {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: SymbolicShape;
}
export interface Initializer {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}
export interface Node {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly output: string; // also the node's name
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}
export interface Model {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly nodes: readonly Node[]; // in an order in which they can run
  readonly initializers: readonly Initializer[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** What onnxruntime since 1.12 (2022), and every newer reader, understands. */
const irVersion = 8;
const opset = 17;

/** The bytes of an ONNX file: the same for the same model, always. */
export function encodeModel(model: Model): Uint8Array {
  const message = {
    irVersion,
    opsetImport: [{ domain: "", version: opset }],
    producerName: "anchorage",
    graph: {
      name: "policy",
      node: model.nodes.map(nodeMessage),
      initializer: model.initializers.map(({ name, type, shape, data }) => ({
        name,
        dims: shape,
        dataType: elementType[type],
        rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      })),
      input: model.inputs.map(valueMessage),
      output: model.outputs.map(valueMessage),
    },
    metadataProps: Object.entries(model.metadata).map(([key, value]) => ({ key, value })),
  };
  return new Uint8Array(modelType.encode(message).finish()); // its own buffer, which can be given to another thread
}

function nodeMessage({ operator, inputs, output, attributes = {} }: Node) {
  return {
    input: inputs,
    output: [output],
    name: output,
    opType: operator,
    attribute: Object.entries(attributes).map(([name, value]) =>
      typeof value === "number" ? { name, type: 2, i: value } : { name, type: 7, ints: value },
    ),
  };
}

function valueMessage({ name, type, shape }: Value) {
  const dim = shape.map((extent) => (typeof extent === "number" ? { dimValue: extent } : { dimParam: extent }));
  return { name, type: { tensorType: { elemType: elementType[type], shape: { dim } } } };
}
