import type { MinibatchTensors } from "../loss.ts";
import { metricOrder, minibatchGradient } from "../minibatchGradient.ts";
import { inputShape, type ParameterSpec, parameterSpecs } from "../networkSpec.ts";
import type { Tensor, TensorFlow } from "../tensorflow.ts";
import type { UpdateSettings } from "../update.ts";
import { attribute, type Edge, GraphBuilder } from "./graphBuilder.ts";
import { type Bound, trace } from "./tracer.ts";

/** The names by which CompiledUpdate feeds, fetches and runs the graph. `variables` are in the order of parameterSpecs. */
export const names = {
  minibatch: {
    observations: "minibatch/observations",
    actions: "minibatch/actions",
    logProbs: "minibatch/log_probs",
    advantages: "minibatch/advantages",
    returns: "minibatch/returns",
    values: "minibatch/values",
  } satisfies Record<keyof MinibatchTensors, string>,
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
  const inputs = addPlaceholders(graph, settings);
  const traced = tf.tidy(() => {
    const filled = (shape: readonly number[], dtype: "float32" | "int32"): Tensor => tf.fill([...shape], 0, dtype);
    const weights = specs.map((spec) => filled(spec.shape, "float32"));
    const parameters = Object.fromEntries(specs.map(({ name }, i) => [name, weights[i]!]));
    const stand = Object.fromEntries(
      Object.entries(inputs).map(([name, input]) => [name, filled(input.shape, input.dtype)]),
    );
    const bound: Bound[] = [
      ...specs.map((_, i): Bound => [weights[i]!, graph.read(variables[i]!.weight)]),
      ...Object.entries(inputs).map(([name, input]): Bound => [stand[name]!, input.edge]),
    ];
    const compute = () => minibatchGradient(settings, parameters, stand as unknown as MinibatchTensors);
    const { result, edgeOf } = trace(tf, graph, bound, compute);
    const edges = { metrics: edgeOf(result.metrics), gradients: result.gradients.map(edgeOf) };
    tf.dispose([result.metrics, result.gradients]);
    return edges;
  });
  graph.add("Identity", [traced.metrics], { T: attribute.type("float32") }, names.metrics);
  addAdam(graph, settings, variables, traced.gradients, addFiniteCheck(graph));
  return graph.definition();
}

function addVariables(graph: GraphBuilder, { name, shape }: ParameterSpec): Variables {
  const entries = variableKinds.map((kind) => {
    const handle = graph.variable(`${kind}/${name}`, shape);
    graph.read(handle, names.current(kind, name));
    return [kind, handle];
  });
  return Object.fromEntries(entries) as Variables;
}

interface Input {
  readonly edge: Edge;
  readonly shape: readonly number[];
  readonly dtype: "float32" | "int32";
}

function addPlaceholders(
  graph: GraphBuilder,
  { network, minibatchSize }: UpdateSettings,
): Record<keyof MinibatchTensors, Input> {
  const { frames } = network.input;
  const { distribution } = network;
  const place = (name: keyof MinibatchTensors, shape: readonly number[], dtype: Input["dtype"] = "float32"): Input => ({
    edge: graph.placeholder(names.minibatch[name], dtype, shape),
    shape,
    dtype,
  });
  const observationShape = [minibatchSize, ...inputShape(network)];
  const pixels = (): Input => {
    const raw = graph.placeholder(names.minibatch.observations, "uint8", observationShape);
    const edge = graph.add("Cast", [raw], { SrcT: attribute.type("uint8"), DstT: attribute.type("float32") });
    return { edge, shape: observationShape, dtype: "float32" };
  };
  return {
    observations: frames ? pixels() : place("observations", observationShape),
    actions:
      distribution.kind === "categorical"
        ? place("actions", [minibatchSize], "int32")
        : place("actions", [minibatchSize, distribution.actions]),
    logProbs: place("logProbs", [minibatchSize]),
    advantages: place("advantages", [minibatchSize]),
    returns: place("returns", [minibatchSize]),
    values: place("values", [minibatchSize]),
  };
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
