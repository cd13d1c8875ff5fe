import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { TrainingMetrics } from "../../learner/trainingMetrics.ts";
import { UpdateMetrics } from "../../learner/updateMetrics.ts";

function shown() {
  const registry = new Registry();
  const metrics = new TrainingMetrics(registry);
  const samples = async (): Promise<Record<string, number>> => {
    const lines = (await registry.metrics()).split("\n").filter((line) => /^[^#]/.test(line));
    return Object.fromEntries(lines.map((line) => line.split(" ")).map(([name, value]) => [name!, Number(value)]));
  };
  return { metrics, samples };
}

it("every quantity that each update has becomes a series of its own; those that an algorithm lacks do not exist", async () => {
  const { metrics, samples } = shown();
  const step = { policyLoss: 1, valueLoss: 2, loss: 3, entropy: 4, approxKl: 5, clipFraction: 0.5, gradientNorm: 7 };
  const update = new UpdateMetrics();
  update.add({ ...step, ratioMin: 0.9, ratioMax: 1.25 });
  metrics.show({ ...update.summary(), explained_variance: 0.5, learning_rate: 0.001 });
  const gauges = Object.entries(await samples()).filter(([name]) => !name.includes("stage_seconds"));
  expect(gauges.length).toBe(Object.keys(update.summary()).length + 2); // no kl, no epochs, nothing of TRPO
  expect(Object.fromEntries(gauges)).toMatchObject({
    anchorage_learner_policy_loss: 1,
    anchorage_learner_entropy_nats: 4,
    anchorage_learner_approx_kl_nats: 5,
    anchorage_learner_ratio_max: 1.25,
    anchorage_learner_ratio_start_error: 0.25,
    anchorage_learner_explained_variance: 0.5,
  });
});

it("the stages' seconds add up over updates, and names that nobody knows make no series", async () => {
  const { metrics, samples } = shown();
  const before = Object.keys(await samples());
  for (const seconds of [1, 2.5]) metrics.show({ minibatch_seconds: seconds, gae_seconds: 0.5, "hostile} 1": 1 });
  const after = await samples();
  expect(Object.keys(after)).toEqual(before);
  expect(after['anchorage_learner_stage_seconds_total{stage="minibatch"}']).toBe(3.5);
  expect(after['anchorage_learner_stage_seconds_total{stage="gae"}']).toBe(1);
  expect(after['anchorage_learner_stage_seconds_total{stage="export"}']).toBe(0);
});
