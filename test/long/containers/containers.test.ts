import { randomBytes } from "node:crypto";
import { execa } from "execa";
import { expect, it, onTestFinished } from "vitest";
import { named } from "../../chaos/skipReason.ts";
import { until } from "../../chaos/until.ts";
import { ContainerFleet } from "./containerFleet.ts";
import { buildImages, imageOf, noContainers, podman } from "./images.ts";

const missing = noContainers();
const minutes = 60_000;
const run = "env: CartPole-v1\ntotalSteps: 102400\nenvs: 16\nenvBatchSize: 2\n"; // 100 updates of 8 EnvBatches

async function finished(fleet: ContainerFleet): Promise<string> {
  await until("the run is finished", async () => fleet.state.state === "FINISHED", 15 * minutes);
  return fleet.state.weightsSha256;
}

it.skipIf(missing !== null)(
  named("the images, built and run as the manifests say, train; killed and added actors change nothing", missing),
  async () => {
    await buildImages();
    for (const role of ["nats", "coordinator", "learner", "actor"])
      console.log(`${role}: ${await podman("image", "inspect", "--format", "{{.Size}}", imageOf(role))} bytes`);
    const fleet = await ContainerFleet.make(run);
    for (const role of ["nats", "coordinator", "learner"]) await fleet.start(role);
    for (const name of ["actor-1", "actor-2"]) await fleet.start("actor", name);
    await until("updates are made", async () => fleet.updates >= 3, 10 * minutes);

    for (const name of ["coordinator", "learner", "actor-1"]) expect(await fleet.healthy(name)).toBe(true);
    await expect(fleet.healthy("nats")).rejects.toThrow("has no defined healthcheck");

    await podman("kill", "--signal", "KILL", fleet.named("actor-1"));
    for (const name of ["actor-3", "actor-4", "actor-5"]) await fleet.start("actor", name);
    const killedAt = fleet.updates;
    await until("and more of them", async () => fleet.updates >= killedAt + 3, 10 * minutes);
    expect(await fleet.stop("actor-2", 40)).toBe(0); // node is the first process, and drains
    const weights = await finished(fleet);
    expect(weights).toMatch(/^[0-9a-f]{64}$/);
    for (const role of ["learner", "coordinator", "actor-3"]) expect(await fleet.stop(role, 60)).toBe(0);

    const undisturbed = await ContainerFleet.make(run);
    for (const role of ["nats", "coordinator", "learner", "actor"]) await undisturbed.start(role);
    expect(await finished(undisturbed)).toBe(weights);
  },
);

it.skipIf(missing !== null)(named("a coordinator without its volume says what is read-only", missing), async () => {
  await buildImages();
  const command = ["run", "--rm", "--read-only", "--user", "10001:10001", imageOf("coordinator")];
  const args = ["coordinator", "--run-dir", "/data/first", "--env", "CartPole-v1"];
  const { exitCode, stderr } = await execa("podman", [...command, ...args], { reject: false });
  expect(stderr).toMatch(/\[STORAGE\] The run folder \/data\/first cannot be made: .*(EROFS|read-only)/);
  expect(exitCode).toBe(1);
});

it.skipIf(missing !== null)(
  named("coordinator and NATS may write volumes that the engine makes", missing),
  async () => {
    await buildImages();
    for (const [role, args, words] of [
      ["coordinator", ["coordinator", "--run-dir", "/data/first", "--env", "CartPole-v1"], /"msg":"new run"/],
      ["nats", ["-js", "-sd", "/data"], /Server is ready/],
    ] as const) {
      const name = `anchorage-${randomBytes(4).toString("hex")}`;
      onTestFinished(async () => {
        await podman("rm", "--force", "--time", "1", name);
        await podman("volume", "rm", name);
      });
      await podman(
        "run",
        "--detach",
        "--name",
        name,
        "--read-only",
        "--volume",
        `${name}:/data`,
        imageOf(role),
        ...args,
      );
      const logs = async (): Promise<string> => (await execa("podman", ["logs", name], { all: true })).all;
      await until(`${role} begins`, async () => words.test(await logs()), minutes);
      expect(await podman("inspect", "--format", "{{.State.Running}}", name)).toBe("true");
    }
  },
);
