import type { Tensor, TensorFlow } from "../tensorflow.ts";
import { attribute, type ConstantData, type Dtype, type Edge, type GraphBuilder } from "./graphBuilder.ts";
import { type AttrValue, dataType } from "./tensorflowProto.ts";

/** What tfjs-node's backend calls for every operation (its dist/tfjs_binding.d.ts). */
interface Binding {
  readonly [code: `TF_${string}`]: number;
  createTensor(shape: number[], dtype: number, data: unknown): number;
  executeOp(name: string, attributes: BindingAttribute[], inputs: number[], outputs: number): BindingTensor[];
}
interface BindingAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}
interface BindingTensor {
  readonly id: number;
}
interface NodeBackend {
  binding: Binding;
  getInputTensorIds(tensors: readonly Tensor[]): number[];
}

const dtypeOfNumber = new Map<number, Dtype>(Object.entries(dataType).map(([name, number]) => [number, name as Dtype]));

/** A tensor that stands for an edge of the graph while tracing: an input or a weight. */
export type Bound = readonly [tensor: Tensor, edge: Edge];

/**
 * Runs `compute`, ordinary eager tfjs code, and writes every TensorFlow operation that it executes into the graph. Shapes
 * become those of the tensors used here, and whatever JavaScript computes becomes a constant: what changes from step to
 * step must come in through a bound tensor. Gives what `compute` gave, and the edge of each tensor in it.
 */
export function trace<T>(
  tf: TensorFlow,
  graph: GraphBuilder,
  bound: readonly Bound[],
  compute: () => T,
): { readonly result: T; readonly edgeOf: (tensor: Tensor) => Edge } {
  const backend = tf.backend() as unknown as NodeBackend;
  const idOf = (tensor: Tensor): number => backend.getInputTensorIds([tensor])[0]!;
  const edges = new Map<number, Edge>(bound.map(([tensor, edge]) => [idOf(tensor), edge]));
  const original = backend.binding;
  backend.binding = recording(original, graph, edges);
  try {
    const result = compute();
    const edgeOf = (tensor: Tensor): Edge => {
      const edge = edges.get(idOf(tensor));
      if (edge === undefined) throw new Error("this tensor was not computed while tracing");
      return edge;
    };
    return { result, edgeOf };
  } finally {
    backend.binding = original;
  }
}

/** The binding, which also writes what it does into the graph. `edges` grows by every tensor made. */
function recording(binding: Binding, graph: GraphBuilder, edges: Map<number, Edge>): Binding {
  const replaced: Pick<Binding, "createTensor" | "executeOp"> = {
    createTensor(shape, dtype, data) {
      const id = binding.createTensor(shape, dtype, data);
      edges.set(id, graph.constant(dtypeNamed(dtype), shape, constantData(data)));
      return id;
    },
    executeOp(name, attributes, inputs, outputs) {
      const made = binding.executeOp(name, attributes, inputs, outputs);
      const inputEdges = inputs.map((id) => {
        const edge = edges.get(id);
        if (edge === undefined) throw new Error(`${name} reads a tensor from before the trace: bind it`);
        return edge;
      });
      const attr = Object.fromEntries(attributes.map((each) => [each.name, attributeOf(binding, each)]));
      const node = graph.add(name, inputEdges, attr);
      made.forEach(({ id }, i) => {
        edges.set(id, i === 0 ? node : `${node}:${i}`);
      });
      return made;
    },
  };
  // The binding's own properties are read-only, so assigning to an object that inherits them would fail.
  return Object.create(binding, Object.getOwnPropertyDescriptors(replaced)) as Binding;
}

function attributeOf(binding: Binding, { name, type, value }: BindingAttribute): AttrValue {
  switch (type) {
    case binding.TF_ATTR_TYPE:
      return { type: value as number };
    case binding.TF_ATTR_INT:
      return Array.isArray(value) ? attribute.integers(value as number[]) : attribute.integer(value as number);
    case binding.TF_ATTR_BOOL:
      return attribute.boolean(value as boolean);
    case binding.TF_ATTR_FLOAT:
      return attribute.float(value as number);
    case binding.TF_ATTR_STRING:
      return attribute.text(value as string);
    case binding.TF_ATTR_SHAPE:
      return attribute.shape(value as number[]);
    default:
      throw new Error(`the tracer does not know attribute ${name} of type ${type}`);
  }
}

function dtypeNamed(number: number): Dtype {
  const dtype = dtypeOfNumber.get(number);
  if (dtype === undefined) throw new Error(`the tracer does not know the element type ${number}`);
  return dtype;
}

function constantData(data: unknown): ConstantData {
  if (data instanceof Float32Array || data instanceof Int32Array || data instanceof Uint8Array) return data;
  throw new Error("the tracer takes constants of float32, int32 and bool only");
}
