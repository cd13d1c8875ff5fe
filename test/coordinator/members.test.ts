import { once } from "node:events";
import { expect, it, onTestFinished, vi } from "vitest";
import { CoordinatorClient } from "../../shared/coordinatorClient.ts";
import { fingerprint } from "../../shared/fingerprint.ts";
import { logger } from "../../shared/log.ts";
import { type MemberSettings, RunMember } from "../../shared/runMember.ts";
import { metricsPage } from "../system/scrape.ts";
import { learnerFingerprint, registration, startCoordinator, temporaryFolder } from "./runningCoordinator.ts";

const settingsOf = (role: "ACTOR" | "LEARNER"): MemberSettings => ({
  role,
  fingerprint: role === "LEARNER" ? learnerFingerprint : fingerprint(null),
  learnerAddress: role === "LEARNER" ? "127.0.0.1:9" : "",
  metricsPort: 1234,
  heartbeatSeconds: 0.05,
  status: () => ({ doing: "tests" }),
  log: logger("test"),
});

async function join(client: CoordinatorClient, role: "ACTOR" | "LEARNER"): Promise<RunMember> {
  const member = await RunMember.join(
    client,
    settingsOf(role),
    { coordinatorWaitSeconds: null },
    new AbortController().signal,
  );
  onTestFinished(() => member.stop());
  return member;
}

it("a member hears of pauses, of a new learner and its address, and leaves with a goodbye", async () => {
  const { client } = await startCoordinator({ runDir: await temporaryFolder() });
  const actor = await join(client, "ACTOR");
  expect([actor.state, actor.learnerAddress, actor.generation]).toEqual(["RUNNING", "", 0]);
  const state = once(actor, "state");
  actor.start();
  await client.control("PAUSE");
  expect(await state).toEqual(["PAUSED"]);
  const learner = once(actor, "learner");
  await client.register(registration("LEARNER"));
  expect(await learner).toEqual(["127.0.0.1:9", 1]);
  const [member] = (await client.control("STATUS")).members.filter(({ role }) => role === "ACTOR");
  expect(member).toMatchObject({ member_id: actor.memberId, pid: process.pid, status_json: '{"doing":"tests"}' });
  await actor.stop();
  expect((await client.control("STATUS")).members.map(({ role }) => role)).toEqual(["LEARNER"]);
});

it("a learner hears that another one took the run over, once, and says no goodbye for it", async () => {
  const { client } = await startCoordinator({ runDir: await temporaryFolder() });
  const older = (await join(client, "LEARNER")).start();
  const lost = once(older, "lost");
  const newer = await join(client, "LEARNER");
  expect(String((await lost)[0])).toMatch(/Learner generation 2 took the run over from generation 1/);
  await older.stop();
  const { members } = await client.control("STATUS");
  expect(members.map(({ member_id }) => member_id)).toEqual([newer.memberId]);
});

it("members register again with a coordinator that was restarted; the learner keeps its generation", async () => {
  const runDir = await temporaryFolder();
  const first = await startCoordinator({ runDir });
  const actor = (await join(first.client, "ACTOR")).start();
  const learner = (await join(first.client, "LEARNER")).start();
  const memberId = actor.memberId;
  await first.stop();
  const registered = once(actor, "registered");
  const deploy = { coordinatorListen: first.address };
  const second = await startCoordinator({ runDir, config: null, deploy, options: { resume: "auto" } });
  await registered;
  expect(actor.memberId).not.toBe(memberId);
  await vi.waitFor(async () => {
    const { members } = await second.client.control("STATUS");
    expect(members.map(({ role }) => role).sort()).toEqual(["ACTOR", "LEARNER"]);
  });
  expect(learner.generation).toBe(1);
});

it("a member whose coordinator now serves another run is lost", async () => {
  const first = await startCoordinator({ runDir: await temporaryFolder() });
  const actor = (await join(first.client, "ACTOR")).start();
  await first.stop();
  const lost = once(actor, "lost");
  await startCoordinator({ runDir: await temporaryFolder(), deploy: { coordinatorListen: first.address } });
  expect(String((await lost)[0])).toMatch(/now serves run .*, this process works on/);
});

it("forgets a member that is silent, and ends a stopping run that waits for it", async () => {
  const deploy = { heartbeatSeconds: 0.1 };
  const { client, metricsPort, outcome } = await startCoordinator({ runDir: await temporaryFolder(), deploy });
  await client.register(registration("LEARNER"));
  await client.control("STOP");
  expect((await client.control("STATUS")).members.length).toBe(1);
  const metrics = () => metricsPage(metricsPort);
  expect(await metrics()).toContain('anchorage_coordinator_run_state{state="stopping"} 1');
  expect((await outcome).state).toBe("STOPPING"); // 5 s of silence
}, 15_000);

it("joining waits until there is a coordinator, and gives up when told to", async () => {
  const first = await startCoordinator({ runDir: await temporaryFolder() });
  await first.stop();
  const client = new CoordinatorClient(first.address);
  onTestFinished(() => client.close());
  const joining = join(client, "ACTOR");
  const givingUp = RunMember.join(
    client,
    settingsOf("ACTOR"),
    { coordinatorWaitSeconds: 60 },
    AbortSignal.timeout(100),
  );
  await expect(givingUp).rejects.toThrow(/aborted/);
  await startCoordinator({ runDir: await temporaryFolder(), deploy: { coordinatorListen: first.address } });
  expect((await joining).state).toBe("RUNNING");
});
