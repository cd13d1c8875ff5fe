import { createHash } from "node:crypto";
import { connect as connectSocket } from "node:net";
import { headers, type NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PolicyChunks, parseChunk } from "../../actor/policyChunks.ts";
import { PolicyReceiver } from "../../actor/policyReceiver.ts";
import { PolicyPublisher } from "../../learner/policyPublisher.ts";
import { logger } from "../../shared/log.ts";
import { openNats } from "../../shared/natsConnection.ts";
import { chunkBytes, chunkHeader, type PolicySnapshot, policySubject } from "../../shared/policySnapshot.ts";
import { NatsProcess } from "../learner/natsProcess.ts";
import { CountedRefusals } from "../shared/openGuard.ts";

const runId = "run-7";
const slots = 2;
const log = logger("test");
const never = new AbortController().signal;
const megabytes = 2_000_000; // three chunks

/** Recognisable bytes: byte i of version v is (v + i) mod 251. */
function snapshot(version: number, bytes = megabytes): PolicySnapshot {
  const data = Uint8Array.from({ length: bytes }, (_, i) => (version + i) % 251);
  return { version, digest: createHash("sha256").update(data).digest("hex"), bytes: data };
}

describe("PolicyChunks", () => {
  const pieces = (of: PolicySnapshot) =>
    [0, 1, 2].map((i) => {
      const offset = i * chunkBytes;
      const data = of.bytes.subarray(offset, offset + chunkBytes);
      return { version: of.version, digest: of.digest, offset, total: of.bytes.length, data };
    });

  it("puts two versions together from chunks that come mixed and twice", () => {
    const chunks = new PolicyChunks(2);
    const [a, b] = [snapshot(1), snapshot(2)];
    const [a0, a1, a2] = pieces(a);
    const [b0, b1, b2] = pieces(b);
    const outcomes = [a2, b0, b0, a0, b2, a1, b1, a1].map((chunk) => chunks.add(chunk!));
    expect(outcomes).toEqual(["part", "part", "part", "part", "part", "whole", "whole", "known"]);
    expect(Buffer.compare(chunks.hold(a.digest)!.bytes, a.bytes)).toBe(0);
    expect(Buffer.compare(chunks.hold(b.digest)!.bytes, b.bytes)).toBe(0);
  });

  it("drops what does not have its digest", () => {
    const chunks = new PolicyChunks(2);
    const a = snapshot(1);
    const [a0, a1, a2] = pieces(a);
    const spoiled = { ...a1!, data: a1!.data.slice().fill(0, 5, 9) };
    expect([a0!, spoiled, a2!].map((chunk) => chunks.add(chunk))).toEqual(["part", "part", "corrupt"]);
    expect(chunks.hold(a.digest)).toBeNull();
  });

  it("keeps those that came or were used last, also where versions count down after a resume", () => {
    const chunks = new PolicyChunks(2);
    const versions = [9, 3, 4].map((version) => snapshot(version, 1000));
    for (const { version, digest, bytes } of versions)
      chunks.add({ version, digest, offset: 0, total: 1000, data: bytes });
    expect(versions.map(({ digest }) => chunks.has(digest))).toEqual([false, true, true]);
  });

  it("leaves a snapshot that is in use as it is, and uses its memory again afterwards", () => {
    const chunks = new PolicyChunks(1);
    const add = ({ version, digest, bytes }: PolicySnapshot) =>
      chunks.add({ version, digest, offset: 0, total: 1000, data: bytes });
    add(snapshot(1, 1000));
    const held = chunks.hold(snapshot(1, 1000).digest)!;
    for (const version of [2, 3, 4]) add(snapshot(version, 1000));
    expect(Buffer.compare(held.bytes, snapshot(1, 1000).bytes)).toBe(0);
    held.release();
    const buffers = new Set<ArrayBufferLike>();
    for (let version = 5; version < 30; version++) {
      add(snapshot(version, 1000));
      const next = chunks.hold(snapshot(version, 1000).digest)!;
      expect(Buffer.compare(next.bytes, snapshot(version, 1000).bytes)).toBe(0);
      buffers.add(next.bytes.buffer);
      next.release();
    }
    expect(buffers.size).toBeLessThanOrEqual(3);
  });

  it("takes no message for a chunk that does not describe one", () => {
    const of = (fields: Record<string, string>) => {
      const h = headers();
      const good = { version: "1", digest: "ab".repeat(32), offset: "0", total: "10" };
      for (const [field, value] of Object.entries({ ...good, ...fields }))
        h.set(chunkHeader[field as keyof typeof chunkHeader], value);
      return parseChunk(h, new Uint8Array(10));
    };
    expect(of({})).toMatchObject({ version: 1, offset: 0, total: 10 });
    const bad: Record<string, string>[] = [
      { offset: "95" },
      { total: "99999999999999" },
      { digest: "x" },
      { version: "-1" },
      { offset: "1e3" },
    ];
    for (const fields of bad) expect(of(fields)).toBeNull();
    expect(parseChunk(undefined, new Uint8Array(10))).toBeNull();
  });
});

describe("PolicyReceiver, with a real NATS server", () => {
  let nats: NatsProcess;
  const cleanups: (() => Promise<void>)[] = [];
  beforeEach(async () => {
    nats = await (await NatsProcess.prepare()).start();
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    await nats.dispose();
  });

  function receiver(options: { liveMs?: number; needMs?: number; refusals?: CountedRefusals } = {}): PolicyReceiver {
    const refusals = new CountedRefusals();
    const made = new PolicyReceiver({ refusals, nats: openNats([nats.address]), runId, slots, log, ...options });
    cleanups.push(() => made.close());
    made.start();
    return made;
  }
  function publisher(): { publish: (of: PolicySnapshot) => Promise<void>; again: (version: number) => void } {
    let stored = (_version: number): void => {};
    const made = new PolicyPublisher({
      nats: openNats([nats.address]),
      runId,
      generation: () => 1,
      slots,
      log,
      onPublished: ({ version }) => stored(version),
    });
    cleanups.push(() => made.close());
    made.start();
    const publish = (of: PolicySnapshot): Promise<void> =>
      new Promise((resolve) => {
        stored = (version) => void (version === of.version && resolve());
        made.publish(of);
      });
    return { publish, again: (version) => void made.again(version) };
  }
  const wanted = (of: PolicySnapshot, onNeeded = (): void => {}, patienceMs = 20_000) => ({
    ...of,
    patienceMs,
    onNeeded,
    signal: never,
  });

  it("has live versions before they are asked for", async () => {
    const [to, from] = [receiver(), publisher()];
    await from.publish(snapshot(0));
    await to.get(wanted(snapshot(0))); // subscribed from here on, whichever way this one came
    const live = snapshot(1);
    await from.publish(live);
    const { bytes } = await to.get(wanted(live));
    expect(Buffer.compare(bytes, live.bytes)).toBe(0);
    expect(to.hold(live.digest)?.bytes).toBe(bytes);
    expect(bytes.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it("a hostile publisher's messages are counted, and keep no policy from whoever asks for it", async () => {
    const refusals = new CountedRefusals();
    const [to, from] = [receiver({ refusals }), publisher()];
    await from.publish(snapshot(0));
    await to.get(wanted(snapshot(0)));
    const socket = connectSocket(nats.port, "127.0.0.1").resume();
    cleanups.push(async () => void socket.destroy());
    socket.write('CONNECT {"verbose":false,"headers":true}\r\n');
    const subject = policySubject(runId, 9, 0);
    const hostile = (head: string, data: Buffer): void => {
      const lines = head === "" ? "" : `NATS/1.0\r\n${head}\r\n\r\n`;
      socket.write(`HPUB ${subject} ${lines.length} ${lines.length + data.length}\r\n${lines}`);
      socket.write(Buffer.concat([data, Buffer.from("\r\n")]));
    };
    const forged = (fields: Record<string, string | number>): string =>
      Object.entries(fields)
        .map(([name, value]) => `Anchorage-${name}: ${value}`)
        .join("\r\n");
    const next = snapshot(1);
    const good = { Version: 1, Digest: next.digest, Offset: 0, Total: next.bytes.length };
    for (let i = 0; i < 50; i++) {
      hostile(forged({ ...good, Offset: -i }), Buffer.alloc(i));
      hostile(forged({ ...good, Total: 10 ** (i % 16) }), Buffer.alloc(100, i));
      hostile(
        forged({ ...good, Digest: String(i % 10).repeat(64) }),
        Buffer.alloc(Math.min(next.bytes.length, 786_432), i),
      );
      hostile("no header at all", Buffer.alloc(9, i));
    }
    await from.publish(next);
    const { bytes } = await to.get(wanted(next));
    expect(Buffer.compare(bytes, next.bytes)).toBe(0);
    await vi.waitFor(() => expect(refusals.of("policy_chunk")).toBeGreaterThanOrEqual(100));
    expect(to.connected).toBe(true);
  });

  it("gets every retained version when it comes late", async () => {
    const from = publisher();
    for (const version of [0, 1, 2]) await from.publish(snapshot(version));
    const late = receiver({ liveMs: 1 });
    for (const version of [2, 1]) {
      const { bytes } = await late.get(wanted(snapshot(version)));
      expect(Buffer.compare(bytes, snapshot(version).bytes)).toBe(0);
    }
  });

  it("asks for a version that is not there, and takes it when it comes", async () => {
    const to = receiver({ liveMs: 1, needMs: 50 });
    const from = publisher();
    await from.publish(snapshot(0));
    // the slot of version 2 is that of version 0, so a late joiner finds another version in it
    const needed = new Promise<void>((resolve) => {
      const got = to.get(wanted(snapshot(2), resolve));
      cleanups.push(async () => void expect(Buffer.compare((await got).bytes, snapshot(2).bytes)).toBe(0));
    });
    await needed;
    await from.publish(snapshot(2));
  });

  it("waits for a stream that does not exist yet", async () => {
    const to = receiver({ liveMs: 1 });
    const got = to.get(wanted(snapshot(0)));
    const from = publisher();
    await from.publish(snapshot(0));
    expect((await got).bytes.length).toBe(megabytes);
  });

  it("gives up after its patience, saying what it waited for", async () => {
    const to = receiver({ liveMs: 1, needMs: 1 });
    let asked = 0;
    const got = to.get(wanted(snapshot(9), () => void asked++, 600));
    await expect(got).rejects.toThrow(/NETWORK.*Policy version 9 .*did not come within/);
    expect(asked).toBe(1);
  });

  it("never mixes two versions that share a slot: half of each is neither", async () => {
    const from = publisher();
    const [old, next] = [snapshot(0), snapshot(2)];
    await from.publish(old);
    const intruder: NatsConnection = await connect({ servers: nats.address });
    cleanups.push(() => intruder.close());
    const h = headers();
    const about = { version: "2", digest: next.digest, offset: "0", total: String(next.bytes.length), generation: "1" };
    for (const [field, value] of Object.entries(about)) h.set(chunkHeader[field as keyof typeof chunkHeader], value);
    intruder.publish(policySubject(runId, 0, 0), next.bytes.subarray(0, chunkBytes), { headers: h });
    await intruder.flush();
    const late = receiver({ liveMs: 1, needMs: 1 });
    await expect(late.get(wanted(next, () => {}, 500))).rejects.toThrow(/did not come/);
    await expect(late.get(wanted(old, () => {}, 500))).rejects.toThrow(/did not come/);
    await from.publish(next);
    expect((await late.get(wanted(next))).bytes.length).toBe(megabytes);
  });

  it("goes on after the server was killed, with its storage lost", async () => {
    const [to, from] = [receiver({ needMs: 100 }), publisher()];
    await from.publish(snapshot(0));
    await to.get(wanted(snapshot(0)));
    await nats.kill();
    nats.loseStorage();
    const next = snapshot(1);
    const published = from.publish(next);
    const got = to.get(wanted(next, () => from.again(1)));
    await nats.start();
    await published;
    expect((await got).bytes.length).toBe(megabytes);
  });

  it("connects to a server that starts later", async () => {
    await nats.kill();
    const to = receiver();
    const got = to.get(wanted(snapshot(0)));
    await nats.start();
    await publisher().publish(snapshot(0));
    expect((await got).bytes.length).toBe(megabytes);
  });

  it("stops waiting when it is told to", async () => {
    const to = receiver();
    const stop = new AbortController();
    const got = to.get({ ...wanted(snapshot(0)), signal: stop.signal });
    stop.abort(new Error("revoked"));
    await expect(got).rejects.toThrow("revoked");
  });
});
