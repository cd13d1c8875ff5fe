import type { EnvironmentSpec } from "../shared/environment.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { type Checkpoint, decodeCheckpoint } from "./checkpoint.ts";
import { type NetworkSpec, parameterSpecs } from "./networkSpec.ts";
import { exportPolicy } from "./onnxExport.ts";
import { importedNormaliser, importedParameters } from "./onnxImport.ts";
import { decodeModel, type Model } from "./onnxModel.ts";
import type { Moments } from "./runningMoments.ts";
import type { InitialFile } from "./trainer.ts";
import type { ParameterArrays } from "./update.ts";

/** What a run begins with in place of fresh weights; the optimizer begins afresh. */
export interface InitialPolicy {
  readonly weights: ParameterArrays;
  readonly observations: Moments | null; // null: not normalised
  readonly rewards: Moments | null; // null: the file has none (ONNX), or the run it is of did not normalise them
}

interface Source {
  readonly model: Model;
  readonly checkpoint: Checkpoint | null;
}

/**
 * The policy in `file` as a run's first one. Throws CONFIG naming the tensor with both shapes, or the layer that computes
 * something else, where it is not of the run's network and environment, and for what is no policy and no checkpoint.
 */
export function initialPolicy(file: InitialFile, network: NetworkSpec, spec: EnvironmentSpec): InitialPolicy {
  const { model, checkpoint } = sourceOf(file);
  checkFits(file.name, model, expectedModel(network, spec), checkpoint);
  if (checkpoint === null)
    return {
      weights: importedParameters(model, network),
      observations: network.input.normalize && importedNormaliser(model, file.name),
      rewards: null,
    };
  const { updates, tensors } = checkpoint.trainer;
  const floats = (name: string): Float64Array => new Float64Array(Uint8Array.from(tensors[name]!.data).buffer);
  const moments = (name: string): Moments => ({
    count: floats(`${name}.count`)[0]!,
    mean: floats(`${name}.mean`),
    variance: floats(`${name}.variance`),
  });
  const weights = parameterSpecs(network).map(({ name }) => {
    const { data } = tensors[`weight.${name}`]!;
    return [name, new Float32Array(Uint8Array.from(data).buffer)] as const;
  });
  return {
    weights: Object.fromEntries(weights),
    observations: network.input.normalize && moments(`observations.${updates}`),
    rewards: "rewards.count" in tensors ? moments("rewards") : null,
  };
}

function sourceOf({ name, bytes }: InitialFile): Source {
  try {
    // A safetensors file begins with the length of its JSON header.
    const checkpoint = bytes[8] === "{".charCodeAt(0) ? decodeCheckpoint(bytes) : null;
    return { checkpoint, model: decodeModel(checkpoint?.policies.at(-1)?.bytes ?? bytes) };
  } catch (cause) {
    const why = cause instanceof OperatorError ? cause.problem : `${messageOf(cause)}.`;
    throw new OperatorError(
      "CONFIG",
      `initFrom: ${name} cannot be used: ${why}`,
      "Give a run's policy.onnx, a file that `anchorage export` wrote, or a .ckpt from a run's checkpoints folder.",
      { cause },
    );
  }
}

/** What a policy of this run looks like, whatever its numbers are. */
function expectedModel(network: NetworkSpec, spec: EnvironmentSpec): Model {
  const size = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);
  const zeros = parameterSpecs(network).map(({ name, shape }) => [name, new Float32Array(size(shape))] as const);
  const dimensions = size(network.input.shape);
  const normaliser = { mean: new Float32Array(dimensions), std: new Float32Array(dimensions), count: 0 };
  const parameters = Object.fromEntries(zeros);
  return decodeModel(exportPolicy({ version: 0, runId: "", spec, network, parameters, normaliser }).bytes);
}

function checkFits(file: string, source: Model, own: Model, checkpoint: Checkpoint | null): void {
  const refuse = (problem: string, remedy: string): never => {
    throw new OperatorError("CONFIG", `initFrom: ${file} does not fit this run: ${problem}.`, remedy);
  };
  const normalises = (model: Model): boolean => model.initializers.some(({ name }) => name === "observations.mean");
  if (normalises(source) !== normalises(own))
    refuse(
      `it ${normalises(source) ? "normalises" : "does not normalise"} observations, and this run ${normalises(own) ? "does" : "does not"}`,
      `Set normalizeObservations=${normalises(source)}.`,
    );
  const remedy = `Choose the network and an environment as it has them: ${outlineOf(source, checkpoint)}.`;
  const shapes = (model: Model): Map<string, string> =>
    new Map(model.initializers.map(({ name, shape }) => [name, `[${shape.join(", ")}]`]));
  const [theirs, ours] = [shapes(source), shapes(own)];
  for (const [name, shape] of ours)
    if (theirs.get(name) !== shape)
      refuse(`its ${name} ${theirs.has(name) ? `is ${theirs.get(name)}` : "is missing"}, expected ${shape}`, remedy);
  for (const [name, shape] of theirs) if (!ours.has(name)) refuse(`this run has no ${name} ${shape}`, remedy);
  const steps = (model: Model): string[] =>
    model.nodes.map(({ operator, inputs, output, attributes }) =>
      `${operator}(${inputs.join(", ")}) -> ${output} ${JSON.stringify(attributes ?? {})}`.replace(/ \{\}$/, ""),
    );
  const [theirSteps, ourSteps] = [steps(source), steps(own)];
  const i = ourSteps.findIndex((step, at) => step !== theirSteps[at]);
  if (i >= 0 || theirSteps.length !== ourSteps.length)
    refuse(`it computes ${theirSteps.at(i) ?? "less"} where this run has ${ourSteps.at(i)}`, remedy);
}

/** Where a policy comes from and what it is made of, for whoever has to choose the same. */
function outlineOf({ metadata, initializers }: Model, checkpoint: Checkpoint | null): string {
  const config = (checkpoint?.metadata.config ?? null) as { readonly network?: unknown } | null;
  const weights = initializers.filter(({ name }) => name.endsWith(".weight"));
  const network = config?.network
    ? `network ${JSON.stringify(config.network)}`
    : weights.map(({ name, shape }) => `${name} [${shape.join(", ")}]`).join(", ");
  return `${metadata["anchorage.env"] ?? "unknown environment"}, ${network}`;
}
