import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
import { status } from "@grpc/grpc-js";
import { expect, it, onTestFinished, vi } from "vitest";
import { coordinatorLimits } from "../../coordinator/limits.ts";
import { coordinatorAccess } from "../../coordinator/service.ts";
import { coordinatorProto } from "../../proto/load.ts";
import { CoordinatorClient } from "../../shared/coordinatorClient.ts";
import { splitAddress, startGrpcServer } from "../../shared/grpcServer.ts";
import type { MethodLimit } from "../../shared/guardedCall.ts";
import type { GuardBounds } from "../../shared/http2Guard.ts";
import type { PeerRole } from "../../shared/identity.ts";
import { Transport } from "../../shared/transport.ts";
import { CertificateFolders } from "./certificateFolders.ts";
import { CountedRefusals } from "./openGuard.ts";

const prefix = "/anchorage.v1.Coordinator/";
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const [settings, ping, goAway] = [4, 6, 7];
/** One of HTTP/2, of no stream (RFC 9113, 4.1). */
const frame = (type: number, { flags = 0, body = Buffer.alloc(0) } = {}): Buffer =>
  Buffer.concat([Buffer.from([0, 0, body.length, type, flags, 0, 0, 0, 0]), body]);

const transportOf = async (role: PeerRole, folders?: CertificateFolders): Promise<Transport> =>
  folders === undefined ? Transport.plain : Transport.of({ tls: await folders.of(role), insecure: false }, role);

async function guarded(
  limits: Readonly<Record<string, MethodLimit>> = coordinatorLimits,
  given: Partial<GuardBounds> = {},
  folders?: CertificateFolders, // TLS
) {
  const refusals = new CountedRefusals();
  const server = await startGrpcServer({
    what: "The test",
    listen: "127.0.0.1:0",
    name: "anchorage.v1.Coordinator",
    service: coordinatorProto.Coordinator.service,
    handlers: {
      GetRun: (_call: unknown, reply: (error: null, run: object) => void) => reply(null, { run_id: "honest" }),
    },
    guard: { limits, bounds: { ReportUpdate: { 5: { most: 10 } } }, maxConnections: 50, refusals, ...given },
    transport: await transportOf("coordinator", folders),
    setting: "listen",
    access: coordinatorAccess,
  });
  onTestFinished(() => server.close());
  const honest = new CoordinatorClient(server.address, { transport: await transportOf("operator", folders) });
  onTestFinished(() => honest.close());
  const session = (): ClientHttp2Session => {
    const made = connect(`http://${server.address}`);
    made.on("error", () => undefined); // the server cuts some
    onTestFinished(() => made.destroy());
    return made;
  };
  const raw = (): Socket => {
    const { host, port } = splitAddress(server.address);
    const socket = connectSocket(port, host);
    socket.on("error", () => undefined);
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  return { server, refusals, honest, session, raw };
}

/** A call that sends `body` and leaves the request open. */
function call(session: ClientHttp2Session, method: string, body: Buffer, more: Record<string, string> = {}) {
  const stream = session.request({
    ":method": "POST",
    ":path": `${prefix}${method}`,
    "content-type": "application/grpc",
    te: "trailers",
    ...more,
  });
  stream.on("error", () => undefined);
  if (body.length > 0) stream.write(body);
  return stream;
}

/** gRPC's status of a call that is refused before anything else is answered. */
async function refusal(stream: ClientHttp2Stream): Promise<{ code: number; message: string }> {
  const [headers] = (await once(stream, "response")) as [Record<string, string>];
  return { code: Number(headers["grpc-status"]), message: decodeURIComponent(headers["grpc-message"] ?? "") };
}

const message = (declared: number, body = Buffer.alloc(0), flag = 0): Buffer => {
  const head = Buffer.alloc(5, flag);
  head.writeUInt32BE(declared, 1);
  return Buffer.concat([head, body]);
};

it("refuses a message by its announced length, before its bytes come, with both numbers", async () => {
  const { refusals, session, honest } = await guarded();
  const answer = await refusal(call(session(), "Heartbeat", message(60_000_000)));
  expect(answer).toEqual({
    code: status.RESOURCE_EXHAUSTED,
    message: "a message of 60000000 bytes; the most here are 65536",
  });
  expect(refusals.of("message_size")).toBe(1);
  expect((await honest.getRun()).run_id).toBe("honest");
});

it("refuses compressed messages, announced in the header or by the flag alone", async () => {
  const { refusals, session } = await guarded();
  const open = session();
  const announced = await refusal(call(open, "Heartbeat", Buffer.alloc(0), { "grpc-encoding": "gzip" }));
  expect(announced.message).toMatch(/grpc-encoding gzip is not taken/);
  expect((await refusal(call(open, "Heartbeat", message(10, Buffer.alloc(0), 1)))).message).toMatch(/not taken/);
  expect(refusals.of("compression")).toBe(2);
});

it("bounds the calls of one kind, and takes new ones once old ones have ended", async () => {
  const limits = { ...coordinatorLimits, ReportUpdate: { messageBytes: 1000, calls: 2, requestMs: null } };
  const { refusals, session } = await guarded(limits);
  const open = session();
  const held = [0, 1].map(() => call(open, "ReportUpdate", Buffer.alloc(0)));
  const third = await refusal(call(open, "ReportUpdate", Buffer.alloc(0)));
  expect(third).toMatchObject({ code: status.RESOURCE_EXHAUSTED, message: expect.stringContaining("2 such calls") });
  held[0]!.close();
  await vi.waitFor(async () => {
    const again = call(open, "ReportUpdate", message(2000));
    expect((await refusal(again)).message).toMatch(/a message of 2000 bytes/);
  });
  expect(refusals.of("calls")).toBeGreaterThanOrEqual(1);
});

it("a request that does not end is ended, and an honest call goes on beside it", async () => {
  const limits = { ...coordinatorLimits, Heartbeat: { messageBytes: 1000, calls: 9, requestMs: 300 } };
  const { refusals, session, honest } = await guarded(limits);
  const silent = refusal(call(session(), "Heartbeat", Buffer.alloc(0)));
  const trickling = refusal(call(session(), "Heartbeat", message(100, Buffer.from("x"))));
  expect((await honest.getRun()).run_id).toBe("honest");
  for (const { message: why } of await Promise.all([silent, trickling]))
    expect(why).toBe("the request did not come to its end within 0.3 s");
  expect(refusals.of("slow")).toBe(2);
});

it("at the most connections the one that was idle longest makes room", async () => {
  const { refusals, session, honest } = await guarded(coordinatorLimits, { maxConnections: 5 });
  expect((await honest.getRun()).run_id).toBe("honest");
  const working = session();
  const held = call(working, "Watch", Buffer.alloc(0));
  await once(working, "remoteSettings");
  const idle = Array.from({ length: 20 }, session);
  const ended = idle.slice(0, 15).map((one) => once(one, "close"));
  await Promise.all(ended);
  expect(refusals.of("connections")).toBeGreaterThanOrEqual(15);
  expect(held.closed).toBe(false); // at work: not the one to go
  expect((await honest.getRun()).run_id).toBe("honest"); // its idle connection was cut; it comes back by itself
});

it("connections that come faster than a fleet returns are closed at once, and an honest one gets in", async () => {
  const { refusals, raw, honest } = await guarded(coordinatorLimits, { maxConnections: 10_000, connectionBurst: 5 });
  const crowd: Promise<unknown>[] = [];
  while (refusals.of("connection_rate") === 0) {
    const sockets = Array.from({ length: 100 }, raw);
    crowd.push(...sockets.map((socket) => once(socket.resume(), "close")));
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
  }
  await Promise.race(crowd); // of those that were let in none is cut before 10 s
  expect((await honest.getRun()).run_id).toBe("honest"); // it tries again until it is let in
});

it("half-received messages of all peers together are bounded", async () => {
  const { refusals, session, honest } = await guarded(coordinatorLimits, { pendingBytes: 100_000 });
  const part = message(60_000, Buffer.alloc(40_000));
  const held = [0, 1].map(() => call(session(), "Heartbeat", part));
  await Promise.all(held.map((stream) => new Promise((sent) => stream.write(Buffer.alloc(0), sent))));
  let last = call(session(), "Heartbeat", part);
  const answers = await Promise.race([...held, last].map(refusal));
  expect(answers).toEqual({
    code: status.RESOURCE_EXHAUSTED,
    message: "unfinished messages take 100000 bytes; try again",
  });
  expect(refusals.of("memory")).toBe(1);
  // the one that was refused has given its share back: there is room for one more, and not for two
  expect((await honest.getRun()).run_id).toBe("honest");
  last = call(session(), "Heartbeat", part);
  expect((await Promise.race([...held, last].filter((stream) => !stream.closed).map(refusal))).message).toMatch(/take/);
  expect(refusals.of("memory")).toBe(2);
});

it("random bytes instead of HTTP/2 end their own connection only", async () => {
  const { refusals, raw, honest } = await guarded();
  const sockets = [
    Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    Buffer.alloc(1000, 0xfe),
    Buffer.from([0, 0, 9]),
  ].map((bytes) => {
    const socket = raw();
    socket.end(bytes);
    return once(socket.resume(), "close");
  });
  await Promise.all(sockets);
  expect(refusals.of("handshake")).toBeGreaterThanOrEqual(2);
  expect((await honest.getRun()).run_id).toBe("honest");
});

it("cuts a peer that connects and says nothing, or stops within its greeting; one that greeted may be silent", async () => {
  const handshakeMs = 500;
  const { refusals, raw, session, honest } = await guarded(coordinatorLimits, { handshakeMs });
  const greeted = session();
  await once(greeted, "remoteSettings");
  const since = performance.now();
  const silent = raw();
  const half = raw();
  half.write(preface); // the settings, which belong to it, do not come
  await Promise.all([silent, half].map((socket) => once(socket.resume(), "close")));
  expect(performance.now() - since).toBeGreaterThan(handshakeMs);
  expect(refusals.of("handshake")).toBe(2);
  expect(refusals.lines).toEqual(new Array(2).fill(expect.stringMatching(/: no HTTP\/2 greeting within 500 ms$/)));
  expect(greeted.closed).toBe(false);
  expect((await honest.getRun()).run_id).toBe("honest");
});

it("a peer that leaves with the GOAWAY of Go's gRPC, as each of the kubelet's probes does, is no refusal", async () => {
  const { refusals, raw, honest } = await guarded();
  const ownStream = Buffer.from([0, 0, 0, 1, 0, 0, 0, 0]); // its last one: HTTP/2 would have the server's here, an even one
  for (let i = 0; i < 5; i++) {
    const socket = raw();
    socket.write(Buffer.concat([preface, frame(settings)]));
    await once(socket, "data");
    socket.resume().end(Buffer.concat([frame(settings, { flags: 1 }), frame(goAway, { body: ownStream })]));
    await once(socket, "close");
  }
  expect((await honest.getRun()).run_id).toBe("honest");
  expect(refusals.lines).toEqual([]);
});

it("cuts a peer that does not begin with TLS where it should, or stops within it", async () => {
  const { refusals, raw, honest } = await guarded(
    coordinatorLimits,
    { handshakeMs: 500 },
    await CertificateFolders.make(),
  );
  const silent = raw();
  const half = raw();
  half.write(Buffer.from([22, 3, 1, 2, 0])); // the head of a hello of 512 bytes, of which none comes
  await Promise.all([silent, half].map((socket) => once(socket.resume(), "close")));
  expect(refusals.lines).toEqual(
    new Array(2).fill(expect.stringMatching(/^handshake: no TLS handshake from 127.0.0.1/)),
  );
  expect((await honest.getRun()).run_id).toBe("honest");
});

it("a connection of nothing but pings is cut as a flood", async () => {
  const { refusals, raw, honest } = await guarded();
  const socket = raw();
  const many = Buffer.concat(Array.from({ length: 200 }, () => frame(ping, { body: Buffer.alloc(8) })));
  socket.write(Buffer.concat([preface, frame(settings)]));
  socket.resume();
  const timer = setInterval(() => socket.write(many), 2); // nghttp2 itself ends a burst of 1000 unread answers;
  await once(socket, "close");
  clearInterval(timer);
  expect(refusals.of("flood")).toBe(1);
  expect((await honest.getRun()).run_id).toBe("honest");
}, 15_000);

it("a connection that opens calls without end is cut as a flood", async () => {
  const { refusals, session, honest } = await guarded();
  const open = session();
  while (refusals.of("flood") === 0) {
    const calls = Array.from({ length: 50 }, () => call(open, "Hack", Buffer.alloc(0)).resume().end());
    await Promise.all(calls.map((ended) => new Promise((resolve) => ended.once("close", resolve))));
  }
  expect(refusals.of("flood")).toBe(1);
  expect((await honest.getRun()).run_id).toBe("honest");
}, 40_000);

it("a connection that takes its calls back as fast as it opens them (rapid reset) is cut as a flood", async () => {
  const { refusals, session, honest } = await guarded();
  const open = session();
  let cut = false;
  for (const end of ["goaway", "close"])
    open.once(end, () => {
      cut = true;
    });
  while (!cut) {
    const calls = Array.from({ length: 50 }, () => call(open, "Heartbeat", Buffer.alloc(0)).resume());
    for (const taken of calls) taken.close(constants.NGHTTP2_CANCEL);
    await Promise.all(calls.map((taken) => new Promise((resolve) => taken.once("close", resolve))));
  }
  expect(refusals.of("flood")).toBe(1);
  expect((await honest.getRun()).run_id).toBe("honest");
}, 40_000);

it("counts methods that there are not, and requests that are no protobuf or have absurdly many elements", async () => {
  const { refusals, session } = await guarded();
  const open = session();
  expect((await refusal(call(open, "Hack", Buffer.alloc(0)))).code).toBe(status.UNIMPLEMENTED);
  const bad = call(open, "GetRun", message(3, Buffer.from([0xff, 0xff, 0xff])));
  expect((await refusal(bad)).code).toBe(status.INTERNAL);
  const episodes = Buffer.alloc(2 * 11).fill(Buffer.from([(5 << 3) | 2, 0])); // eleven empty ones
  const many = call(open, "ReportUpdate", message(episodes.length, episodes));
  expect((await refusal(many)).code).toBe(status.INTERNAL);
  expect([refusals.of("unknown_method"), refusals.of("malformed")]).toEqual([1, 2]);
});
