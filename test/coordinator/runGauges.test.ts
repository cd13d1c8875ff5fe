import { expect, it } from "vitest";
import { scrape } from "../system/scrape.ts";
import { registration, report, startCoordinator, temporaryFolder } from "./runningCoordinator.ts";

const gauge = "anchorage_coordinator_";

it("says how far the run is, when it last got on, and what room its folder has", async () => {
  const began = Date.now() / 1000;
  const { client, metricsPort } = await startCoordinator({ runDir: await temporaryFolder() });
  const before = await scrape(metricsPort);
  expect(before[`${gauge}progress_timestamp_seconds`]).toBeGreaterThanOrEqual(began);
  expect(before[`${gauge}run_info{env="CartPole-v1",algo="ano",seed="1",policy_lag="0"}`]).toBe(1);
  expect(before[`${gauge}total_agent_steps`]).toBe(256);
  const { generation } = await client.register(registration("LEARNER"));
  await client.reportUpdate(report(generation, 1));
  const after = await scrape(metricsPort);
  expect(after[`${gauge}agent_steps`]).toBe(64);
  const got = after[`${gauge}progress_timestamp_seconds`]!;
  expect(got).toBeGreaterThan(before[`${gauge}progress_timestamp_seconds`]!);
  await client.reportUpdate(report(generation, 1)); // twice the same is no progress
  expect((await scrape(metricsPort))[`${gauge}progress_timestamp_seconds`]).toBe(got);
  await client.control("PAUSE");
  expect((await scrape(metricsPort))[`${gauge}progress_timestamp_seconds`]).toBe(got);
  await client.control("RESUME"); // else the pause would count as a standstill
  const resumed = await scrape(metricsPort);
  expect(resumed[`${gauge}progress_timestamp_seconds`]).toBeGreaterThan(got);
  expect(resumed[`${gauge}run_folder_free_bytes`]).toBeGreaterThan(0);
  expect(resumed[`${gauge}run_folder_size_bytes`]).toBeGreaterThanOrEqual(resumed[`${gauge}run_folder_free_bytes`]!);
});

it.each([
  ["[NUMERIC] Minibatch step 3 has loss NaN.", "numeric"],
  ["[ENVIRONMENT] It throws.", "environment"],
  ['[HOSTILE"}] a label of its own', "other"],
  ["no code at all", "other"],
])("a run that failed with %s shows the kind %s and no other", async (failure, code) => {
  const { client, metricsPort } = await startCoordinator({ runDir: await temporaryFolder(), options: { stay: true } });
  const kinds = async () => {
    const all = Object.entries(await scrape(metricsPort)).filter(([name]) => name.startsWith(`${gauge}run_failed{`));
    return { series: all.length, failed: all.filter(([, value]) => value === 1).map(([name]) => name) };
  };
  const before = await kinds();
  expect(before.failed).toEqual([]);
  const { generation } = await client.register(registration("LEARNER"));
  await client.reportUpdate(report(generation, 0, { failure }));
  expect(await kinds()).toEqual({ series: before.series, failed: [`${gauge}run_failed{code="${code}"}`] });
});

it("counts the lives of members that leave, fall silent or are superseded, by role", async () => {
  const deploy = { heartbeatSeconds: 0.1 }; // silent for 5 s: forgotten
  const { client, metricsPort } = await startCoordinator({ runDir: await temporaryFolder(), deploy });
  const short = async (role: string) =>
    (await scrape(metricsPort))[`${gauge}member_lifetime_seconds_bucket{le="300",member_role="${role}"}`];
  expect([await short("actor"), await short("learner")]).toEqual([0, 0]); // from the start: increase() sees the first
  const { member_id } = await client.register(registration("ACTOR"));
  await client.heartbeat({ member_id, role: "ACTOR", leaving: true });
  expect(await short("actor")).toBe(1);
  await client.register(registration("ACTOR"));
  await client.register(registration("LEARNER"));
  await client.register(registration("LEARNER"));
  expect(await short("learner")).toBe(1);
  await expect.poll(() => short("actor"), { timeout: 15_000 }).toBe(2);
  expect((await scrape(metricsPort))[`${gauge}members_expired_total{member_role="actor"}`]).toBe(1);
}, 30_000);
