import { createInterface } from "node:readline";
import { operationTimes } from "../learner/compile/tensorflowProto.ts";
import { CompiledUpdate } from "../learner/compiledUpdate.ts";
import { inputShape, type NetworkSpec, networkSpec, parameterSpecs } from "../learner/networkSpec.ts";
import type { Minibatch, UpdateSettings } from "../learner/update.ts";
import type { EnvironmentSpec } from "../shared/environment.ts";
import { resolveRunConfig } from "../shared/presets.ts";

/**
 * Our side of bench/compiledStep.ts, a process of its own (oneDNN is chosen once per process): mlp|cnn THREADS
 * auto|on|off. Each line on stdin is a number of steps to take, each line on stdout the CPU and wall milliseconds that
 * they took; "profile" prints where a step's time goes.
 */
const [kind, threads, onednn] = process.argv.slice(2) as ["mlp" | "cnn", string, UpdateSettings["onednn"]];

const halfCheetah: EnvironmentSpec = {
  id: "HalfCheetah-v4",
  observation: { dtype: "float32", shape: [17], frameStack: null },
  action: { kind: "continuous", low: Array(6).fill(-1), high: Array(6).fill(1) },
  maxEpisodeSteps: 1000,
  framesPerStep: 5,
};
const pong: EnvironmentSpec = {
  id: "Pong-v5",
  observation: { dtype: "uint8", shape: [4, 84, 84], frameStack: 4 },
  action: { kind: "discrete", count: 6 },
  maxEpisodeSteps: 27000,
  framesPerStep: 4,
};
const spec = kind === "mlp" ? halfCheetah : pong;
const config = resolveRunConfig({ env: spec.id, algo: "ppo" });
const network = networkSpec(config, spec);
const minibatchSize = kind === "mlp" ? 1024 : 512;
const update = new CompiledUpdate({
  ...config,
  network,
  minibatchSize,
  threads: Number(threads),
  onednn,
  device: "cpu",
});

let state = 12345;
const uniform = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 4294967296;
};
const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

function minibatchFor({ distribution, input }: NetworkSpec, size: number): Minibatch {
  const floats = (length: number, of: () => number): Float32Array => Float32Array.from({ length }, of);
  const inputs = size * elements(inputShape(network));
  return {
    observations: input.frames ? Uint8Array.from({ length: inputs }, () => 256 * uniform()) : floats(inputs, normal),
    actions:
      distribution.kind === "categorical"
        ? Int32Array.from({ length: size }, () => distribution.actions * uniform())
        : floats(size * distribution.actions, normal),
    logProbs: floats(size, () => (distribution.kind === "categorical" ? -1.79 : -8.5) + 0.1 * normal()),
    advantages: floats(size, normal),
    returns: floats(size, normal),
    values: floats(size, () => 0.3 * normal()),
  };
}
const minibatch = minibatchFor(network, minibatchSize);
update.setParameters(
  Object.fromEntries(
    parameterSpecs(network).map(({ name, shape }) => {
      const scale = 1 / Math.sqrt(elements(shape.slice(0, -1)));
      return [name, Float32Array.from({ length: elements(shape) }, () => (shape.length === 1 ? 0 : normal() * scale))];
    }),
  ),
);

createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "profile") return console.log(JSON.stringify(operationTimes(update.profile(minibatch, 1e-5))));
  const cpu = process.cpuUsage();
  const wall = performance.now();
  for (let i = 0; i < Number(line); i++) update.step(minibatch, 1e-5);
  const used = process.cpuUsage(cpu);
  console.log(JSON.stringify({ cpuMs: (used.user + used.system) / 1e3, wallMs: performance.now() - wall }));
});
