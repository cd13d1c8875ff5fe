import type { MinibatchTensors } from "../loss.ts";
import { metricOrder, minibatchGradient } from "../minibatchGradient.ts";
import { minibatchInputs } from "../minibatchInputs.ts";
import type { ParameterTensors } from "../network.ts";
import { type ParameterSpec, parameterSpecs } from "../networkSpec.ts";
import type { FunctionInput } from "../policyFunction.ts";
import { policyFunctionsOf } from "../policyFunctions.ts";
import type { Tensor, TensorFlow } from "../tensorflow.ts";
import type { UpdateSettings } from "../update.ts";
import { attribute, type Edge, GraphBuilder } from "./graphBuilder.ts";
import { type Bound, trace } from "./tracer.ts";

/** The names by which CompiledUpdate feeds, fetches and runs the graph. `variables` are in the order of parameterSpecs. */
export const names = {
  input: (of: string, name: string): string => `${of}/input/${name}`,
  output: (of: string, name: string): string => `${of}/output/${name}`,
  stepSize: "adam/step_size", // the learning rate with both bias corrections
  epsilon: "adam/epsilon", // epsilon as it applies to moments that are not bias-corrected
  metrics: "metrics",
  step: "step",
  given: (kind: VariableKind, parameter: string): string => `given/${kind}/${parameter}`,
  current: (kind: VariableKind, parameter: string): string => `current/${kind}/${parameter}`,
  assign: (kind: VariableKind): string => `assign/${kind}`,
} as const;
export const variableKinds = ["weight", "m", "v"] as const;
export type VariableKind = (typeof variableKinds)[number];

type Variables = Record<VariableKind, Edge>;

/**
 * One minibatch step as a TensorFlow graph: forward pass, gradients and clipping as `minibatchGradient` computes them,
 * Adam, and the reading and writing of its variables. Nothing is applied if loss or gradient norm is not finite.
 */
export function buildUpdateGraph(tf: TensorFlow, settings: UpdateSettings): Uint8Array {
  const graph = new GraphBuilder();
  const specs = parameterSpecs(settings.network);
  const variables = specs.map((spec) => addVariables(graph, spec));
  for (const kind of variableKinds) {
    const assigns = specs.map(({ name, shape }, i) =>
      graph.assign(variables[i]![kind], graph.placeholder(names.given(kind, name), "float32", shape)),
    );
    graph.group(names.assign(kind), assigns);
  }
  const weights = specs.map(({ name, shape }, i) => ({ name, shape, edge: graph.read(variables[i]!.weight) }));
  const step = traceFunction(tf, graph, weights, minibatchInputs(settings), "minibatch", (parameters, inputs) => {
    const { metrics, gradients } = minibatchGradient(settings, parameters, inputs as unknown as MinibatchTensors);
    return [metrics, ...gradients];
  });
  const [metrics, ...gradients] = step as [Edge, ...Edge[]];
  graph.add("Identity", [metrics], { T: attribute.type("float32") }, names.metrics);
  addAdam(graph, settings, variables, gradients, addFiniteCheck(graph));
  for (const [name, { inputs, outputs, compute }] of policyFunctionsOf(settings)) {
    const results = traceFunction(tf, graph, weights, inputs(settings), name, (parameters, given) => {
      const computed = compute(settings, parameters, given);
      return outputs(settings).map((output) => computed[output.name]!);
    });
    outputs(settings).forEach((output, i) => {
      graph.add("Identity", [results[i]!], { T: attribute.type("float32") }, names.output(name, output.name));
    });
  }
  return graph.definition();
}

interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly edge: Edge;
}

/** Traces `compute` on tensors of these shapes, with a placeholder for each input. Gives the edges of its results. */
function traceFunction(
  tf: TensorFlow,
  graph: GraphBuilder,
  weights: readonly Weight[],
  inputs: readonly FunctionInput[],
  name: string,
  compute: (parameters: ParameterTensors, inputs: Record<string, Tensor>) => Tensor[],
): Edge[] {
  const placed = inputs.map((input) => ({
    ...input,
    edge: addPlaceholder(graph, names.input(name, input.name), input),
  }));
  return tf.tidy(() => {
    const filled = ({ shape }: { shape: readonly number[] }, dtype: "float32" | "int32" = "float32"): Tensor =>
      tf.fill([...shape], 0, dtype);
    const parameters = weights.map((weight) => filled(weight));
    const given = placed.map((input) => filled(input, input.dtype === "int32" ? "int32" : "float32"));
    const bound: Bound[] = [
      ...weights.map(({ edge }, i): Bound => [parameters[i]!, edge]),
      ...placed.map(({ edge }, i): Bound => [given[i]!, edge]),
    ];
    const { result, edgeOf } = trace(tf, graph, bound, () =>
      compute(
        Object.fromEntries(weights.map((weight, i) => [weight.name, parameters[i]!])),
        Object.fromEntries(placed.map((input, i) => [input.name, given[i]!])),
      ),
    );
    const edges = result.map(edgeOf);
    tf.dispose(result);
    return edges;
  });
}

/** Frames come in as bytes. */
function addPlaceholder(graph: GraphBuilder, name: string, { shape, dtype }: FunctionInput): Edge {
  const given = graph.placeholder(name, dtype, shape);
  if (dtype !== "uint8") return given;
  return graph.add("Cast", [given], { SrcT: attribute.type("uint8"), DstT: attribute.type("float32") });
}

function addVariables(graph: GraphBuilder, { name, shape }: ParameterSpec): Variables {
  const entries = variableKinds.map((kind) => {
    const handle = graph.variable(`${kind}/${name}`, shape);
    graph.read(handle, names.current(kind, name));
    return [kind, handle];
  });
  return Object.fromEntries(entries) as Variables;
}

/** An operation that fails, and so holds back all that come after it, unless loss and gradient norm are finite. */
function addFiniteCheck(graph: GraphBuilder): string {
  const decisive = (["loss", "gradientNorm"] as const).map((name) => metricOrder.indexOf(name));
  const indices = graph.constant("int32", [decisive.length], Int32Array.from(decisive));
  const gather = {
    Tparams: attribute.type("float32"),
    Tindices: attribute.type("int32"),
    Taxis: attribute.type("int32"),
  };
  const axis = graph.constant("int32", [1], Int32Array.of(0));
  const first = graph.constant("int32", [], Int32Array.of(0));
  const numbers = graph.add("GatherV2", [names.metrics, indices, first], gather);
  const finite = graph.add("IsFinite", [numbers], { T: attribute.type("float32") });
  const all = graph.add("All", [finite, axis], { keep_dims: attribute.boolean(false), Tidx: attribute.type("int32") });
  const summary = { T: attribute.types(["float32"]), summarize: attribute.integer(decisive.length) };
  return graph.add("Assert", [all, numbers], summary, "finite");
}

/**
 * Adam on every variable. ResourceApplyAdam computes the bias corrections from powers of the betas in float32; with powers
 * of 0 they are 1, and CompiledUpdate puts them into the step size and epsilon in double precision (Kingma & Ba, section 2).
 */
function addAdam(
  graph: GraphBuilder,
  settings: UpdateSettings,
  variables: readonly Variables[],
  gradients: readonly Edge[],
  check: string,
): void {
  const stepSize = graph.placeholder(names.stepSize, "float32", []);
  const epsilon = graph.placeholder(names.epsilon, "float32", []);
  const zero = graph.scalar(0);
  const beta1 = graph.scalar(settings.adamBeta1);
  const beta2 = graph.scalar(settings.adamBeta2);
  const attr = { T: attribute.type("float32"), use_locking: attribute.boolean(false) };
  const applied = variables.map(({ weight, m, v }, i) =>
    graph.add(
      "ResourceApplyAdam",
      [weight, m, v, zero, zero, stepSize, beta1, beta2, epsilon, gradients[i]!],
      attr,
      undefined,
      [check],
    ),
  );
  graph.group(names.step, applied);
}
