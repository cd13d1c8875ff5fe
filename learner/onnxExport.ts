import { createHash } from "node:crypto";
import type { EnvironmentSpec } from "../shared/environment.ts";
import { OperatorError, shapeError } from "../shared/errors.ts";
import { onnxNames, type PolicySnapshot } from "../shared/policySnapshot.ts";
import type { Activation, Layer, NetworkSpec } from "./networkSpec.ts";
import type { Normaliser } from "./observationStatistics.ts";
import { encodeModel, type Initializer, type Node, observationCount, type Value } from "./onnxModel.ts";
import { inFilterOrder, inPlaneOrder, times } from "./weightLayout.ts";

export interface PolicyExport {
  readonly version: number;
  readonly runId: string;
  readonly spec: EnvironmentSpec;
  readonly network: NetworkSpec;
  readonly parameters: Readonly<Record<string, Float32Array>>; // by ParameterSpec name
  readonly normaliser: Normaliser | null; // not null where network.input.normalize is not
}

/**
 * A policy version as an ONNX file (shared/policySnapshot.ts): the same graph as network.ts, and the same bytes for the
 * same numbers. Frames stay planes as the environment gives them, so weights are laid out anew: convolutions
 * [filters, in, K, K], a dense layer after them with its rows in plane order; x / 255 lies in the first weights.
 */
export function exportPolicy(policy: PolicyExport): PolicySnapshot {
  const { network, spec, version, runId } = policy;
  const graph = new GraphBuilder(policy.parameters);
  const observed: Signal = observation(graph, policy);
  const trunk = stack(graph, "trunk", network.trunk, observed, null);
  const batch = "E";
  const { kind, actions } = network.distribution;
  const outputs: Value[] = [];
  const output = (name: string, shape: (number | string)[]): string => {
    outputs.push({ name, type: "float32", shape });
    return name;
  };
  const head = output(kind === "categorical" ? onnxNames.logits : onnxNames.mean, [batch, actions]);
  stack(graph, "actor", network.actor, trunk, head);
  if (kind === "gaussian") {
    const shape = graph.node("Shape", [head], "mean.shape");
    const logStd = graph.parameter("actor.log_std", [actions]);
    graph.node("Expand", [logStd, shape], output(onnxNames.logStd, [batch, actions]));
  }
  const values = stack(graph, "critic", network.critic, trunk, "value.column").name;
  graph.node("Squeeze", [values, graph.int64("value.axes", [1])], output(onnxNames.value, [batch]));
  const bytes = encodeModel({
    inputs: [{ name: onnxNames.observations, type: observedType(spec), shape: [batch, ...spec.observation.shape] }],
    outputs,
    nodes: graph.nodes,
    initializers: graph.initializers,
    metadata: {
      "anchorage.version": String(version),
      "anchorage.run": runId,
      "anchorage.env": spec.id,
      "anchorage.spec": JSON.stringify(spec),
      ...(network.input.normalize && { [observationCount]: String(policy.normaliser?.count) }),
    },
  });
  return { version, digest: createHash("sha256").update(bytes).digest("hex"), bytes };
}

const observedType = (spec: EnvironmentSpec): "uint8" | "float32" =>
  spec.observation.dtype === "uint8" ? "uint8" : "float32";

/** What flows between layers: [E, C, H, W] planes or [E, D]. */
interface Signal {
  readonly name: string;
  readonly shape: readonly [number, number, number] | readonly [number];
  readonly scale: number; // still to be multiplied into the next weights
}

class GraphBuilder {
  readonly nodes: Node[] = [];
  readonly initializers: Initializer[] = [];
  readonly #parameters: Readonly<Record<string, Float32Array>>;

  constructor(parameters: Readonly<Record<string, Float32Array>>) {
    this.#parameters = parameters;
  }

  node(operator: string, inputs: readonly string[], output: string, attributes?: Node["attributes"]): string {
    this.nodes.push({ operator, inputs, output, ...(attributes && { attributes }) });
    return output;
  }

  float32(name: string, shape: readonly number[], data: Float32Array): string {
    this.initializers.push({ name, type: "float32", shape, data });
    return name;
  }

  int64(name: string, values: readonly number[]): string {
    const data = BigInt64Array.from(values, BigInt);
    this.initializers.push({ name, type: "int64", shape: [values.length], data });
    return name;
  }

  /** Adds a parameter under its own name, in another layout if asked. */
  parameter(name: string, shape: readonly number[], layout = (data: Float32Array): Float32Array => data): string {
    const data = this.#parameters[name] ?? new Float32Array(0);
    const length = shape.reduce((product, extent) => product * extent, 1);
    if (data.length !== length) throw shapeError(name, length, data);
    return this.float32(name, shape, layout(data));
  }
}

/** The input as the first layer takes it. */
function observation(graph: GraphBuilder, { network, spec, normaliser }: PolicyExport): Signal {
  const { shape, frames, normalize } = network.input;
  let name: string = onnxNames.observations;
  if (observedType(spec) === "uint8") name = graph.node("Cast", [name], "observations.float", { to: 1 });
  if (frames) return { name, shape: [shape[0]!, shape[1]!, shape[2]!], scale: Math.fround(1 / 255) };
  if (shape.length > 1) name = graph.node("Flatten", [name], "observations.flat", { axis: 1 });
  const size = shape.reduce((product, extent) => product * extent, 1);
  if (normalize === null) return { name, shape: [size], scale: 1 };
  if (normaliser === null || normaliser.mean.length !== size)
    throw new OperatorError(
      "SHAPE",
      `The observation statistics have ${normaliser?.mean.length ?? 0} dimensions, the network's input ${size}.`,
      "Report this with the run's config.",
    );
  const mean = graph.float32("observations.mean", [size], normaliser.mean);
  const std = graph.float32("observations.std", [size], normaliser.std);
  const low = graph.float32("observations.low", [], Float32Array.of(-normalize.clip));
  const high = graph.float32("observations.high", [], Float32Array.of(normalize.clip));
  name = graph.node("Sub", [name, mean], "observations.centred");
  name = graph.node("Div", [name, std], "observations.scaled");
  name = graph.node("Clip", [name, low, high], "observations.normalised");
  return { name, shape: [size], scale: 1 };
}

/** @param last name of the last layer's output, if it matters */
function stack(
  graph: GraphBuilder,
  part: string,
  layers: readonly Layer[],
  input: Signal,
  last: string | null,
): Signal {
  return layers.reduce((signal: Signal, layer, i): Signal => {
    const prefix = `${part}.${i}`;
    const product =
      layer.activation === "none" && i === layers.length - 1 && last !== null ? last : `${prefix}.product`;
    const { name, shape } =
      layer.kind === "conv"
        ? convolution(graph, prefix, layer, signal, product)
        : dense(graph, prefix, layer, signal, product);
    if (layer.activation === "none") return { name, shape, scale: 1 };
    return { name: activated(graph, layer.activation, name, prefix), shape, scale: 1 };
  }, input);
}

/** ONNX's operators; the defaults of their settings are those of activations.ts. */
const operators = { tanh: "Tanh", relu: "Relu", elu: "Elu", leakyRelu: "LeakyRelu" } as const;

function activated(graph: GraphBuilder, activation: Exclude<Activation, "none">, h: string, prefix: string): string {
  if (activation !== "silu") return graph.node(operators[activation], [h], `${prefix}.output`);
  const gate = graph.node("Sigmoid", [h], `${prefix}.gate`);
  return graph.node("Mul", [h, gate], `${prefix}.output`);
}

function convolution(
  graph: GraphBuilder,
  prefix: string,
  layer: Extract<Layer, { kind: "conv" }>,
  { name, shape, scale }: Signal,
  output: string,
): Omit<Signal, "scale"> {
  if (shape.length !== 3) throw new Error(`${prefix} is a convolution of a flat signal`);
  const [channels, height, width] = shape;
  const { filters, kernel, stride } = layer;
  const weight = graph.parameter(`${prefix}.weight`, [filters, channels, kernel, kernel], (data) =>
    inFilterOrder(times(data, scale), kernel * kernel * channels, filters, channels),
  );
  const bias = graph.parameter(`${prefix}.bias`, [filters]);
  graph.node("Conv", [name, weight, bias], output, { kernel_shape: [kernel, kernel], strides: [stride, stride] });
  const extent = (size: number): number => Math.floor((size - kernel) / stride) + 1;
  return { name: output, shape: [filters, extent(height), extent(width)] };
}

function dense(
  graph: GraphBuilder,
  prefix: string,
  layer: Extract<Layer, { kind: "dense" }>,
  { name, shape, scale }: Signal,
  output: string,
): Omit<Signal, "scale"> {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const planes = shape.length === 3 ? shape[0] : 1;
  const flat = shape.length === 3 ? graph.node("Flatten", [name], `${prefix}.input`, { axis: 1 }) : name;
  const weight = graph.parameter(`${prefix}.weight`, [size, layer.units], (data) =>
    inPlaneOrder(times(data, scale), planes, size / planes, layer.units),
  );
  const bias = graph.parameter(`${prefix}.bias`, [layer.units]);
  graph.node("Gemm", [flat, weight, bias], output);
  return { name: output, shape: [layer.units] };
}
