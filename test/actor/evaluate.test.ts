import { describe, expect, it } from "vitest";
import { makeEnvBatch } from "../../actor/environments.ts";
import { type EvaluatedEpisode, evaluatePolicy } from "../../actor/evaluate.ts";
import { tinyPolicy } from "./tinyPolicy.ts";

const drawing = "test/actor/fixtures/drawingEnvironment.ts";

async function evaluate(env: string, episodes: number, change: object = {}): Promise<EvaluatedEpisode[]> {
  const batch = await makeEnvBatch({ env, envOptions: {}, size: 1 });
  batch.close();
  const { bytes } = tinyPolicy(batch.spec, 3);
  const settings = {
    config: { env, envOptions: {} },
    policy: bytes,
    source: "policy.onnx",
    episodes,
    seed: 1,
    deterministic: true,
  };
  return evaluatePolicy({ ...settings, ...change });
}

describe("evaluatePolicy", () => {
  it("plays the asked number of whole episodes", async () => {
    const played = await evaluate("CartPole-v1", 11);
    expect(played.map(({ episode }) => episode)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const episode of played) expect(episode.return).toBe(episode.length); // 1 per step
  });

  it("plays the same episodes whatever number is asked for, and again", async () => {
    const eleven = await evaluate(drawing, 11, { deterministic: false });
    expect(await evaluate(drawing, 3, { deterministic: false })).toEqual(eleven.slice(0, 3));
    expect(await evaluate(drawing, 11, { deterministic: false })).toEqual(eleven);
    expect(new Set(eleven.map((episode) => episode.return)).size).toBe(11);
  });

  it("differs by seed, and between the most likely action and samples", async () => {
    const base = await evaluate(drawing, 4);
    expect(await evaluate(drawing, 4, { seed: 2 })).not.toEqual(base);
    expect(await evaluate(drawing, 4, { deterministic: false })).not.toEqual(base);
  });

  it("says what is wrong with a policy that does not fit", async () => {
    const { spec } = await makeEnvBatch({ env: drawing, envOptions: {}, size: 1 });
    const other = tinyPolicy(spec, 0).bytes;
    await expect(evaluate("CartPole-v1", 1, { policy: other })).rejects.toThrow(
      /MISMATCH.*policy.onnx: observations has shape/,
    );
  });
});
