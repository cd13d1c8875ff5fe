import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import { messageOf, OperatorError } from "../shared/errors.ts";
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

/** Metadata: of how many observations the statistics in the graph are. */
export const observationCount = "anchorage.observations.count";

/** What protobufjs makes of ModelProto with the options below. */
interface DecodedModel {
  readonly producerName: string;
  readonly metadataProps: readonly { readonly key: string; readonly value: string }[];
  readonly graph: {
    readonly node: readonly {
      readonly opType: string;
      readonly input: readonly string[];
      readonly output: readonly string[];
      readonly attribute: readonly { readonly name: string; readonly i: number; readonly ints: readonly number[] }[];
    }[];
    readonly initializer: readonly {
      readonly name: string;
      readonly dataType: number;
      readonly dims: readonly number[];
      readonly rawData: Uint8Array;
    }[];
  } | null;
}

/** What encodeModel wrote, without inputs and outputs. Throws CORRUPT for anything else. */
export function decodeModel(bytes: Uint8Array): Model {
  const { producerName, graph, metadataProps } = decodedModel(bytes);
  if (producerName !== "anchorage" || graph === null)
    throw unreadable(
      `it is an ONNX model of ${producerName || "an unknown producer"}, not one of Anchorage's policies`,
    );
  const nodes = graph.node.map(({ opType, input, output, attribute }): Node => {
    const attributes = attribute.map(({ name, i, ints }) => [name, ints.length > 0 ? ints : i] as const);
    return { operator: opType, inputs: input, output: output[0] ?? "", attributes: Object.fromEntries(attributes) };
  });
  const initializers = graph.initializer.map(({ name, dataType, dims, rawData }): Initializer => {
    const bytesEach = dataType === elementType.float32 ? 4 : dataType === elementType.int64 ? 8 : null;
    const elements = dims.reduce((product, extent) => product * extent, 1);
    if (bytesEach === null || rawData.length !== elements * bytesEach)
      throw unreadable(`${name} [${dims.join(", ")}] has ${rawData.length} bytes of element type ${dataType}`);
    const own = Uint8Array.from(rawData).buffer;
    const data = bytesEach === 4 ? new Float32Array(own) : new BigInt64Array(own);
    return { name, type: bytesEach === 4 ? "float32" : "int64", shape: dims, data };
  });
  const metadata = Object.fromEntries(metadataProps.map(({ key, value }) => [key, value]));
  return { inputs: [], outputs: [], nodes, initializers, metadata };
}

function decodedModel(bytes: Uint8Array): DecodedModel {
  try {
    const options = { longs: Number, arrays: true, defaults: true } as const;
    return modelType.toObject(modelType.decode(bytes), options) as DecodedModel;
  } catch (cause) {
    throw unreadable(`it is no ONNX model (${messageOf(cause)})`, { cause });
  }
}

function unreadable(what: string, options?: ErrorOptions): OperatorError {
  return new OperatorError("CORRUPT", `${what}.`, "Export the policy again.", options);
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
