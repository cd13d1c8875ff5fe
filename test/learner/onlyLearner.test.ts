import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { setInterval } from "node:timers/promises";
import { expect, it, onTestFinished, vi } from "vitest";
import { onlyLearner } from "../../learner/onlyLearner.ts";
import type { CoordinatorClient } from "../../shared/coordinatorClient.ts";
import { DeployConfig } from "../../shared/deployConfig.ts";
import { logger } from "../../shared/log.ts";
import { registration, startCoordinator, temporaryFolder } from "../coordinator/runningCoordinator.ts";

const heartbeatSeconds = 0.2; // silent for 5 s: forgotten
const deploy = DeployConfig.parse({ heartbeatSeconds });

/** Some process of this machine that stands for a learner's. */
function otherProcess(): ChildProcess {
  const child = spawn("sleep", ["600"]);
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

/** A coordinator, and a learner that is registered with it and heartbeats until the test ends or says otherwise. */
async function withLearner(host: string, pid: number) {
  const { client } = await startCoordinator({ runDir: await temporaryFolder(), deploy: { heartbeatSeconds } });
  const { member_id, generation } = await client.register({ ...registration("LEARNER"), host, pid });
  const beat = { member_id, role: "LEARNER", generation, status_json: "{}" } as const;
  const ended = new AbortController();
  const beating = (async () => {
    for await (const _ of setInterval(heartbeatSeconds * 1000, null, { signal: ended.signal }))
      await client.heartbeat(beat);
  })().catch((error: Error) => expect(error.name).toBe("AbortError"));
  const silence = async (): Promise<void> => {
    ended.abort();
    await beating;
  };
  onTestFinished(silence);
  return { client, silence, leave: () => client.heartbeat({ ...beat, leaving: true }) };
}

const comes = async (client: CoordinatorClient, signal = new AbortController().signal): Promise<void> =>
  onlyLearner(await client.getRun(), client, deploy, signal, logger("test"));

it("a learner takes the place of one that is gone at once: none, one that said goodbye, one whose process has ended", async () => {
  const process = otherProcess();
  const { client, leave, silence } = await withLearner(hostname(), process.pid!);
  process.kill("SIGKILL");
  await once(process, "exit");
  const asked = vi.spyOn(client, "getRun");
  await comes(client); // it would be remembered for 5 s
  await silence();
  await leave();
  await comes(client);
  expect(asked).toHaveBeenCalledTimes(2); // not once more: it did not wait
});

it("waits while another one works, and goes on as soon as its process has ended", async () => {
  const process = otherProcess();
  const { client } = await withLearner(hostname(), process.pid!);
  let waits = true;
  const coming = comes(client).finally(() => {
    waits = false;
  });
  const asked = vi.spyOn(client, "getRun");
  await vi.waitFor(() => expect(asked.mock.calls.length).toBeGreaterThan(2), 20_000);
  expect(waits).toBe(true);
  process.kill("SIGKILL");
  await coming;
});

it("is refused by one that is alive on another machine, naming it and the way out, and takes its place once it is silent", async () => {
  const { client, silence } = await withLearner("elsewhere", 4711);
  await expect(comes(client)).rejects.toThrow(
    /^\[BUSY\] another learner works on run \S+: pid 4711 on elsewhere, heard of 0\.\d s ago\. A run has one learner: stop that one .*Were it silent for 5 s/,
  );
  await silence();
  await comes(client);
}, 30_000);

it("a learner that is told to stop does not wait to the end", async () => {
  const { client } = await withLearner("elsewhere", 4711);
  await expect(comes(client, AbortSignal.timeout(300))).rejects.toThrow(/aborted/);
});
