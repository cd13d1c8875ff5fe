import type { ServiceError } from "@grpc/grpc-js";
import { afterAll, expect, it, onTestFinished } from "vitest";
import { Authority } from "../../cli/authority.ts";
import { coordinatorProto } from "../../proto/load.ts";
import { CoordinatorClient } from "../../shared/coordinatorClient.ts";
import type { PeerRole } from "../../shared/identity.ts";
import { Transport } from "../../shared/transport.ts";
import { bareCall } from "../shared/bareCall.ts";
import { CertificateFolders } from "../shared/certificateFolders.ts";
import { metricsPage } from "../system/scrape.ts";
import { registration, report, startCoordinator, temporaryFolder } from "./runningCoordinator.ts";

const warnings: string[] = [];
process.on("warning", ({ message }) => warnings.push(message));
afterAll(() => expect(warnings).not.toContainEqual(expect.stringContaining("TLS ServerName"))); // DEP0123: all is reached by address

/** A coordinator that speaks TLS, and clients of each role. */
async function secured() {
  const folders = await CertificateFolders.make();
  const runDir = await temporaryFolder();
  const running = await startCoordinator({ runDir, deploy: { tls: await folders.of("coordinator") } });
  const as = async (role: PeerRole): Promise<CoordinatorClient> => {
    const transport = Transport.of({ tls: await folders.of(role), insecure: false }, role);
    const client = new CoordinatorClient(running.address, { transport });
    onTestFinished(() => client.close());
    return client;
  };
  const refusals = async (): Promise<string> => {
    const page = await metricsPage(running.metricsPort);
    return page
      .split("\n")
      .filter((line) => line.startsWith("anchorage_coordinator_refused_total"))
      .join("\n");
  };
  return { folders, running, as, refusals };
}

const getRun = coordinatorProto.Coordinator.service.GetRun.path;

it("lets each role do what is its own and nothing else", async () => {
  const { as, refusals } = await secured();
  const [actor, learner, operator] = await Promise.all([as("actor"), as("learner"), as("operator")]);
  await actor.register(registration("ACTOR"));
  const { generation, member_id } = await learner.register(registration("LEARNER"));
  expect((await learner.reportUpdate(report(generation, 1))).accepted).toBe(true);
  expect((await operator.control("PAUSE")).run?.state).toBe("PAUSED");

  const denied = /\[IDENTITY\].*PERMISSION_DENIED.*role actor/;
  const checkpoint = { generation, update: 1, meanReturn: 0, bytes: Buffer.from("x") };
  await expect(actor.control("STOP")).rejects.toThrow(
    /Control is for role operator, and the caller's certificate is of role actor/,
  );
  await expect(actor.reportUpdate(report(generation, 2))).rejects.toThrow(denied);
  await expect(actor.saveCheckpoint(checkpoint)).rejects.toThrow(denied);
  await expect(actor.loadCheckpoint()).rejects.toThrow(denied);
  await expect(actor.register(registration("LEARNER"))).rejects.toThrow(denied);
  await expect(learner.control("STOP")).rejects.toThrow(/role learner/);
  await expect(operator.register(registration("ACTOR"))).rejects.toThrow(/role operator/);
  // An actor that knows the learner's id cannot say goodbye for it.
  const goodbye = { member_id, role: "ACTOR" as const, generation, leaving: true };
  expect((await actor.heartbeat(goodbye)).known).toBe(false);
  expect((await operator.control("STATUS")).members.map(({ role }) => role)).toContain("LEARNER");
  expect(await refusals()).toMatch(/\{reason="role"\} [1-9]/);
});

it("tells those without a valid certificate what is wrong with it, and counts them", async () => {
  const { folders, running, refusals } = await secured();
  const { certificate: ca } = folders.authority;
  const stranger = await Authority.create();
  const cases: [string | null, string, RegExp][] = [
    [null, "no_certificate", /the client showed no certificate/],
    [await folders.of("actor", { daysAgo: 60 }), "expired", /the client's certificate has expired/],
    [await folders.of("actor", { issuer: stranger }), "authority", /not issued by this server's authority/],
    [await folders.of("coordinator"), "role", /the client's certificate is for servers only/],
  ];
  for (const [folder, reason, message] of cases) {
    const answer = await bareCall(running.address, getRun, folder, ca);
    expect([reason, answer?.code, answer?.details]).toEqual([reason, 16, expect.stringMatching(message)]); // UNAUTHENTICATED
    expect(await refusals()).toContain(`{reason="${reason}"} 1`);
  }
  expect(await bareCall(running.address, getRun, await folders.of("actor"), ca)).toBeNull();
});

it("a client goes only to a coordinator of its own authority and of that role", async () => {
  const { folders, running, as } = await secured();
  const others = await CertificateFolders.make();
  const transport = Transport.of({ tls: await others.of("actor"), insecure: false }, "actor");
  const foreign = new CoordinatorClient(running.address, { transport });
  onTestFinished(() => foreign.close());
  await expect(foreign.getRun()).rejects.toThrow(/\[IDENTITY\].*certificate/);
  const other = await startCoordinator({
    runDir: await temporaryFolder(),
    deploy: { tls: await folders.of("coordinator") },
  });
  expect((await (await as("actor")).getRun()).run_id).toBe(running.runId);
  const expectsLearner = Transport.of({ tls: await folders.of("actor"), insecure: false }, "actor");
  const stub = new coordinatorProto.Coordinator(
    other.address,
    expectsLearner.clientCredentials("learner", "learner", other.address),
    expectsLearner.channelOptions(other.address),
  );
  onTestFinished(() => stub.close());
  const error = await new Promise<ServiceError | null>((resolve) => stub.getRun({}, (failed) => resolve(failed)));
  expect(error?.details).toMatch(/its certificate is of role coordinator, not learner/);
});

it("a client does not go to a coordinator whose certificate is for another host", async () => {
  const folders = await CertificateFolders.make(); // for 127.0.0.1
  const deploy = { tls: await folders.of("coordinator"), coordinatorListen: "127.0.0.2:0" };
  const { address } = await startCoordinator({ runDir: await temporaryFolder(), deploy });
  const transport = Transport.of({ tls: await folders.of("actor"), insecure: false }, "actor");
  const client = new CoordinatorClient(address, { transport });
  onTestFinished(() => client.close());
  await expect(client.getRun()).rejects.toThrow(
    /\[IDENTITY\].*IP: 127\.0\.0\.2 is not in the cert's list: 127\.0\.0\.1/,
  );
});

it("plain text gets nothing from a TLS port, and is counted", async () => {
  const { running, refusals } = await secured();
  const plain = new CoordinatorClient(running.address);
  onTestFinished(() => plain.close());
  await expect(plain.getRun({ patienceMs: 0 })).rejects.toThrow(/GetRun to the coordinator/);
  expect(await refusals()).toMatch(/\{reason="handshake"\} [1-9]/);
});

it("without certificates, nobody controls or watches the run without its token", async () => {
  const { address, client, metricsPort } = await startCoordinator({ runDir: await temporaryFolder() });
  for (const [token, what] of [
    [null, "none was given"],
    ["wrong", "another one was given"],
  ] as const) {
    const stranger = new CoordinatorClient(address, { token });
    onTestFinished(() => stranger.close());
    for (const action of ["STATUS", "STOP"] as const)
      await expect(stranger.control(action)).rejects.toThrow(new RegExp(`\\[IDENTITY\\].*control token, and ${what}`));
    await expect(stranger.watch(0).next()).rejects.toThrow(/Watch needs the run's control token.*--control-token FILE/);
  }
  expect((await client.control("STATUS")).run?.state).toBe("RUNNING");
  const page = await metricsPage(metricsPort);
  expect(page).toContain('anchorage_coordinator_refused_total{reason="token"} 6');
});
