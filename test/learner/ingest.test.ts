import { Registry } from "prom-client";
import { expect, it, onTestFinished } from "vitest";
import { Admission } from "../../learner/admission.ts";
import { Ingest } from "../../learner/ingest.ts";
import { learnerMetrics } from "../../learner/metrics.ts";
import { listenForActors } from "../../learner/server.ts";
import { buildId } from "../../shared/build.ts";
import { DeployConfig } from "../../shared/deployConfig.ts";
import { logger } from "../../shared/log.ts";
import { portRefusals } from "../../shared/portRefusals.ts";
import { configDigest } from "../../shared/runConfig.ts";
import { Transport } from "../../shared/transport.ts";
import { leaseMs, World } from "./leaseWorld.ts";
import { ScriptedActor } from "./scriptedActor.ts";
import { smallRun } from "./syntheticRollout.ts";

process.env.ANCHORAGE_LOG ??= "silent"; // what is refused on purpose here is no news

it("a rollout that the decoder stumbles over is refused and counted, and its actor's stream goes on", async () => {
  const config = smallRun(2, 5, 0);
  const log = logger("test");
  const registry = new Registry();
  const metrics = learnerMetrics(registry);
  const refusals = portRefusals(registry, "learner", log);
  const server = await listenForActors(DeployConfig.parse({}), Transport.plain, refusals);
  onTestFinished(server.grpc.close);
  const admission = new Admission({
    runId: "run",
    configDigest: configDigest(config),
    build: buildId(),
    spec: null,
    actorFingerprint: null,
    log,
    onNotReproducible: () => {},
  });
  const decode = (): never => {
    throw new TypeError("Cannot read properties of null");
  };
  const { collection } = new World(2, 5, 0);
  const about = { runId: "run", generation: () => 3, leaseMs, needPolicy: () => true };
  server.open(new Ingest({ ...about, admission, collection, decode, metrics, refusals, log }).collect);
  let told: (outcomes: string[]) => void = () => {};
  const twice = new Promise<string[]>((resolve) => (told = resolve));
  const actor = new ScriptedActor(server.grpc.address, "run", config, "actor-1", {
    onTaken: (outcomes) => void (outcomes.length === 2 && told(outcomes)),
  });
  onTestFinished(() => actor.kill());
  const refused = "refused: Cannot read properties of null";
  expect(await Promise.race([twice, actor.ended])).toEqual([refused, refused]);
  expect(await registry.metrics()).toContain('rollouts_refused_total{reason="internal"} 2');
});
