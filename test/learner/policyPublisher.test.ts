import { createHash } from "node:crypto";
import { jetstreamManager, StorageType } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterEach, beforeEach, expect, it } from "vitest";
import { PolicyPublisher } from "../../learner/policyPublisher.ts";
import { logger } from "../../shared/log.ts";
import { openNats } from "../../shared/natsConnection.ts";
import {
  chunkBytes,
  chunkHeader,
  type PolicySnapshot,
  policyStream,
  policySubject,
} from "../../shared/policySnapshot.ts";
import { NatsProcess } from "./natsProcess.ts";

const runId = "run-7";
const log = logger("test");
let nats: NatsProcess;
let publisher: PolicyPublisher;
let events: string[];
let waiting: { want: string; count: number; resolve: () => void }[];

/** Resolves when `event` has happened `count` times in all. */
function happened(event: string, count = 1): Promise<void> {
  return new Promise((resolve) => {
    waiting.push({ want: event, count, resolve });
    settle();
  });
}
function settle(): void {
  waiting = waiting.filter(({ want, count, resolve }) => {
    if (events.filter((event) => event === want).length < count) return true;
    resolve();
    return false;
  });
}
function happens(event: string): void {
  events.push(event);
  settle();
}

/** Recognisable bytes: byte i of version v is (v + i) mod 251. */
function snapshot(version: number, bytes: number): PolicySnapshot {
  const data = Uint8Array.from({ length: bytes }, (_, i) => (version + i) % 251);
  return { version, digest: createHash("sha256").update(data).digest("hex"), bytes: data };
}

function makePublisher(slots: number): PolicyPublisher {
  const made = new PolicyPublisher({
    nats: openNats([nats.address]),
    runId,
    generation: () => 4,
    slots,
    log,
    onPublished: ({ version }) => happens(`stored ${version}`),
    onRepublished: ({ version }) => happens(`stored again ${version}`),
    onConnection: (up) => happens(up ? "up" : "down"),
  });
  made.start();
  return made;
}

/** What an actor that comes late does: direct gets of the last message of each chunk's subject. */
async function fetchPolicy(version: number, slots: number): Promise<Uint8Array> {
  const nc = await connect({ servers: nats.address });
  try {
    const direct = (await jetstreamManager(nc)).direct;
    const parts: Uint8Array[] = [];
    let total = Number.POSITIVE_INFINITY;
    for (let chunk = 0, offset = 0; offset < total; chunk++) {
      const message = await direct.getMessage(policyStream(runId), {
        last_by_subj: policySubject(runId, version % slots, chunk),
      });
      if (message === null) throw new Error(`chunk ${chunk} of version ${version} is missing`);
      const { header } = message;
      expect([header.get(chunkHeader.version), header.get(chunkHeader.generation)]).toEqual([String(version), "4"]);
      expect(Number(header.get(chunkHeader.offset))).toBe(offset);
      total = Number(header.get(chunkHeader.total));
      parts.push(message.data);
      offset += message.data.length;
    }
    return Buffer.concat(parts);
  } finally {
    await nc.close();
  }
}

async function expectStored({ version, bytes, digest }: PolicySnapshot, slots: number): Promise<void> {
  const got = await fetchPolicy(version, slots);
  expect(got.length).toBe(bytes.length);
  expect(createHash("sha256").update(got).digest("hex")).toBe(digest);
}

beforeEach(async () => {
  events = [];
  waiting = [];
  nats = await NatsProcess.prepare();
});
afterEach(async () => {
  await publisher.close();
  await nats.dispose();
});

it("stores a version in chunks, in the slot of its number, and keeps the newest `slots` versions", async () => {
  await nats.start();
  publisher = makePublisher(3);
  const versions = [0, 1, 2, 3].map((version) => snapshot(version, 2 * chunkBytes + 17 * version + 1));
  for (const one of versions) publisher.publish(one);
  await Promise.all([1, 2, 3].map((version) => happened(`stored ${version}`)));
  for (const one of versions.slice(1)) await expectStored(one, 3);
  await expect(fetchPolicy(0, 3)).rejects.toThrow(); // version 3 has its slot
});

it("waits for a server that is not there yet", async () => {
  publisher = makePublisher(2);
  const first = snapshot(0, 1000);
  publisher.publish(first);
  await nats.start();
  await happened("stored 0");
  await expectStored(first, 2);
});

it("survives kill -9 of the server, publishes what came meanwhile, and has everything there again", async () => {
  await nats.start();
  publisher = makePublisher(2);
  const versions = [0, 1].map((version) => snapshot(version, chunkBytes + 5));
  publisher.publish(versions[0]!);
  await happened("stored 0");
  await nats.kill();
  await happened("down");
  publisher.publish(versions[1]!);
  await nats.start();
  await happened("stored 1");
  await happened("stored again 0");
  for (const one of versions) await expectStored(one, 2);
});

it("makes a stream anew that an older build stored in files, so that a full disk cannot end it", async () => {
  await nats.start();
  const nc = await connect({ servers: nats.address });
  const manager = await jetstreamManager(nc);
  const [name, subjects] = [policyStream(runId), [policySubject(runId, 0, "*")]];
  await manager.streams.add({ name, subjects, storage: StorageType.File });
  publisher = makePublisher(2);
  publisher.publish(snapshot(1, 10));
  await happened("stored 1");
  expect((await manager.streams.info(name)).config.storage).toBe(StorageType.Memory);
  await expectStored(snapshot(1, 10), 2);
  await nc.close();
});

it("stores every retained version again when the server comes back without its storage", async () => {
  await nats.start();
  publisher = makePublisher(3);
  const versions = [0, 1, 2].map((version) => snapshot(version, 3000));
  for (const one of versions) publisher.publish(one);
  await Promise.all(versions.map(({ version }) => happened(`stored ${version}`)));
  await nats.kill();
  nats.loseStorage();
  await nats.start();
  await Promise.all(versions.map(({ version }) => happened(`stored again ${version}`)));
  for (const one of versions) await expectStored(one, 3);
});

it("makes the stream again when it was deleted, because an actor says that it needs the policy", async () => {
  await nats.start();
  publisher = makePublisher(2);
  const only = snapshot(0, 2 * chunkBytes);
  publisher.publish(only);
  await happened("stored 0");
  const nc = await connect({ servers: nats.address });
  await (await jetstreamManager(nc)).streams.delete(policyStream(runId));
  await nc.close();
  expect(publisher.again(0)).toBe(true);
  await happened("stored again 0");
  await expectStored(only, 2);
  expect(publisher.again(7)).toBe(false);
});

it("corrects a stream that an older build made with other settings", async () => {
  await nats.start();
  const nc = await connect({ servers: nats.address });
  const { streams } = await jetstreamManager(nc);
  await streams.add({
    name: policyStream(runId),
    subjects: [`anchorage.${runId}.policy.*.*`],
    max_msgs_per_subject: 9,
  });
  publisher = makePublisher(2);
  publisher.publish(snapshot(0, 10));
  await happened("stored 0");
  const { config } = await streams.info(policyStream(runId));
  expect(config).toMatchObject({ max_msgs_per_subject: 1, allow_direct: true });
  expect(config.max_bytes).toBeGreaterThan(0); // -1: none
  await nc.close();
});

it("leaves nothing of a finished run on the server", async () => {
  await nats.start();
  publisher = makePublisher(2);
  publisher.publish(snapshot(0, 10));
  await happened("stored 0");
  await publisher.removeStream();
  const nc = await connect({ servers: nats.address });
  const { streams } = await jetstreamManager(nc);
  expect(await streams.list().next()).toEqual([]);
  await nc.close();
});
