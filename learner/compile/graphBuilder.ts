import { type AttrValue, dataType, encodeGraphDef, type NodeDef, type TensorShapeProto } from "./tensorflowProto.ts";

/** A tensor of the graph: "node", or "node:index" of a node with several outputs. */
export type Edge = string;
export type Dtype = keyof typeof dataType;
export type ConstantData = Float32Array | Int32Array | Uint8Array;

/** The producer version of TensorFlow 2.21, which decides how a graph's defaults are read. */
const versions = { producer: 2501, minConsumer: 12 };
/** No honest constant of a loss is larger: one that is was computed outside TensorFlow, from the traced minibatch. */
const largestConstantBytes = 65536;

export const attribute = {
  type: (dtype: Dtype): AttrValue => ({ type: dataType[dtype] }),
  types: (dtypes: readonly Dtype[]): AttrValue => ({ list: { type: dtypes.map((dtype) => dataType[dtype]) } }),
  integer: (i: number): AttrValue => ({ i }),
  integers: (i: readonly number[]): AttrValue => ({ list: { i } }),
  float: (f: number): AttrValue => ({ f }),
  boolean: (b: boolean): AttrValue => ({ b }),
  text: (text: string): AttrValue => ({ s: Buffer.from(text) }),
  shape: (shape: readonly number[]): AttrValue => ({ shape: shapeProto(shape) }),
};

/** Writes a TensorFlow graph, node by node. */
export class GraphBuilder {
  readonly #nodes: NodeDef[] = [];
  readonly #constants = new Map<string, Edge>();

  /** Adds a node and gives its first output; `after` names nodes that must have run before it. */
  add(
    op: string,
    inputs: readonly Edge[],
    attr: Record<string, AttrValue>,
    name?: string,
    after: readonly string[] = [],
  ): Edge {
    const unique = name ?? `${op}_${this.#nodes.length}`;
    const input = [...inputs, ...after.map((node) => `^${node}`)];
    this.#nodes.push({ name: unique, op, input, attr });
    return unique;
  }

  placeholder(name: string, dtype: Dtype, shape: readonly number[]): Edge {
    return this.add("Placeholder", [], { dtype: attribute.type(dtype), shape: attribute.shape(shape) }, name);
  }

  /** A float32 variable of the session: its handle. */
  variable(name: string, shape: readonly number[]): Edge {
    const attr = { dtype: attribute.type("float32"), shape: attribute.shape(shape), shared_name: attribute.text(name) };
    return this.add("VarHandleOp", [], attr, name);
  }

  read(variable: Edge, name?: string): Edge {
    return this.add("ReadVariableOp", [variable], { dtype: attribute.type("float32") }, name);
  }

  assign(variable: Edge, value: Edge): Edge {
    return this.add("AssignVariableOp", [variable, value], { dtype: attribute.type("float32") });
  }

  /** A node that has run when all the others have. */
  group(name: string, nodes: readonly string[]): string {
    return this.add("NoOp", [], {}, name, nodes);
  }

  scalar(value: number): Edge {
    return this.constant("float32", [], Float32Array.of(value));
  }

  /** Throws for a large constant that is not one number repeated: see largestConstantBytes. */
  constant(dtype: Dtype, shape: readonly number[], data: ConstantData): Edge {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const repeated = data.length > 0 && data.every((value) => Object.is(value, data[0]));
    if (!repeated && bytes.length > largestConstantBytes)
      throw new Error(`a constant [${shape.join(", ")}] of ${bytes.length} bytes would be baked into the graph`);
    const key = `${dtype} ${shape.join(",")} ${repeated ? `${data[0]}${Object.is(data[0], -0) ? "-" : ""}` : Buffer.from(bytes).toString("base64")}`;
    const existing = this.#constants.get(key);
    if (existing !== undefined) return existing;
    const value = repeated ? splat(dtype, data[0]!) : { tensorContent: bytes.slice() };
    const tensor = { dtype: dataType[dtype], tensorShape: shapeProto(shape), ...value };
    const edge = this.add("Const", [], { dtype: attribute.type(dtype), value: { tensor } });
    this.#constants.set(key, edge);
    return edge;
  }

  /** The graph as a serialized GraphDef. */
  definition(): Uint8Array {
    return encodeGraphDef({ node: this.#nodes, versions });
  }
}

function splat(dtype: Dtype, value: number): object {
  if (dtype === "float32") return { floatVal: [value] };
  return dtype === "bool" ? { boolVal: [value !== 0] } : { intVal: [value] };
}

function shapeProto(shape: readonly number[]): TensorShapeProto {
  return { dim: shape.map((size) => ({ size })) };
}
