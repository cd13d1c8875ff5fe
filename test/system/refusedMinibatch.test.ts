import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { decodeTensorFile } from "../../learner/safetensors.ts";
import type { NamedTensor } from "../../learner/trainer.ts";
import { missingSafetensors, pythonPrints } from "../learner/pythonSafetensors.ts";
import { run, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

// klCoef is 1 in update 1 and grows by 1 with each; the root of a negative number is NaN from update 4 on.
const breaks = join(folder.path, "breaks.ts");
writeFileSync(
  breaks,
  `import type { Objective } from "anchorage";
  const breaks: Objective = {
    needs: ["klCoef", "oldPolicy"],
    perSample: (tf, { excess, advantages, klCoef }) => tf.mul(tf.mul(tf.add(1, excess), advantages), tf.sqrt(tf.sub(3.5, klCoef!))),
    nextKlCoef: (klCoef) => klCoef + 1,
  };
  export default breaks;`,
);

const floats = ({ data }: NamedTensor): Float32Array => new Float32Array(Uint8Array.from(data).buffer);
const page = readFileSync(new URL("../../docs/runFolder.md", import.meta.url), "utf8");

it("an objective of the user's that gives NaN in its fourth update ends the run with that minibatch in the run folder", {
  timeout: 120_000,
}, async (context) => {
  const runDir = join(folder.path, "run");
  const small = ["--total-steps", "10240", "--set", "envs=8", "--set", "rolloutSteps=64", "--set", "minibatches=4"];
  const flags = ["--env", "CartPole-v1", "--algo", breaks, ...small, "--set", "epochs=2", "--set", "klCoef=1"];
  const { status, stderr, events } = await run(["train", "--json", ...flags, "--run-dir", runDir]);
  expect(status).toBe(1);
  const failure =
    /\[NUMERIC\] Update 4, epoch 1, minibatch 1: Minibatch step 25 has loss NaN .* it was not applied\. The minibatch and the weights are in the run folder as refused-minibatch\.safetensors/;
  expect(stderr).toMatch(failure);
  expect(JSON.stringify(events.at(-1))).toMatch(/refused-minibatch\.safetensors/);
  expect(JSON.parse(readFileSync(join(runDir, "state.json"), "utf8"))).toMatchObject({ state: "FAILED" });
  const { metadata, tensors } = decodeTensorFile(readFileSync(join(runDir, "refused-minibatch.safetensors")));
  expect(metadata).toMatchObject({ update: "4", epoch: "0", minibatch: "0" });
  expect(tensors.observations!.shape).toEqual([128, 4]);
  expect(floats(tensors.klCoef!)).toEqual(Float32Array.of(4));
  expect(floats(tensors.ratio!).every((ratio) => Math.abs(ratio - 1) < 1e-5)).toBe(true);
  const { length } = readFileSync(join(runDir, "metrics.jsonl"), "utf8").trimEnd().split("\n");
  expect(length).toBe(3);
  expect(existsSync(join(runDir, "policy.onnx"))).toBe(false); // a NaN never became a policy

  const reason = missingSafetensors();
  if (reason !== null) return context.skip(reason);
  const example = /```python\n([\s\S]*?)```/.exec(page)![1]!;
  expect(pythonPrints(example, [], runDir)).toMatch(/"Minibatch step 25 has loss NaN.*\n\(128, 4\)/);
});
