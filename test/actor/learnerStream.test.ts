import { type EventEmitter, once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { Client } from "@grpc/grpc-js";
import { expect, it, onTestFinished, vi } from "vitest";
import { LearnerStream } from "../../actor/learnerStream.ts";
import { clientOptions } from "../../shared/grpcOptions.ts";
import { Transport } from "../../shared/transport.ts";
import { TestLearner } from "./testLearner.ts";

/** A link that can be made half-open: it stays connected and carries nothing any more. */
async function link(to: number): Promise<{ address: string; freeze: () => void }> {
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = connect(to, "127.0.0.1");
    sockets.push(near, far);
    for (const socket of [near, far]) socket.on("error", () => undefined); // cut at the test's end
    near.pipe(far).pipe(near);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, "listening");
  const freeze = (): void => {
    for (const socket of sockets) socket.unpipe().pause();
  };
  return { address: `127.0.0.1:${(server.address() as { port: number }).port}`, freeze };
}

async function learnerOf(): Promise<TestLearner> {
  const learner = await TestLearner.listen();
  onTestFinished(() => learner.kill());
  return learner;
}

it("notices a link that is open and dead", async () => {
  const learner = await learnerOf();
  const { address, freeze } = await link(learner.port);
  const stream = new LearnerStream(address, Transport.plain, {
    ...clientOptions,
    "grpc.keepalive_time_ms": 200,
    "grpc.keepalive_timeout_ms": 200,
  });
  void stream.send({ hello: { run_id: "run-1" } });
  await learner.session();
  const closed = once(stream, "closed");
  freeze();
  expect((await closed)[0]).toMatch(/UNAVAILABLE/);
});

it("holds messages back while the learner does not read, and delivers all in order", async () => {
  const learner = await learnerOf();
  const { address } = await link(learner.port);
  const stream = new LearnerStream(address);
  onTestFinished(() => stream.abort("end of test"));
  void stream.send({ hello: { run_id: "run-1" } });
  const session = await learner.session();
  session.pause();
  const reason = "x".repeat(1_000_000);
  let handedOver = 0;
  const messages = 200; // MB: more than the sockets on the way hold, and the kernel lets those grow
  const all = Array.from({ length: messages }, (_, lease_id) =>
    stream.send({ return_lease: { lease_id, reason } }).then(() => {
      handedOver++;
    }),
  );
  for (let before = -1; before < handedOver; ) {
    before = handedOver;
    await new Promise((resolve) => setTimeout(resolve, 300)); // nothing else shows that it does not go on
  }
  expect(handedOver).toBeLessThan(messages / 2);
  session.resume();
  await Promise.all(all);
  for (let lease_id = 0; lease_id < messages; lease_id++)
    expect((await session.next("return_lease")).lease_id).toBe(lease_id);
});

it("says where nobody listens", async () => {
  const stream = new LearnerStream("127.0.0.1:9");
  const closed = once(stream, "closed");
  void stream.send({ hello: { run_id: "run-1" } });
  expect((await closed)[0]).toMatch(/UNAVAILABLE/);
  await stream.send({ hello: { run_id: "run-1" } }); // resolves: there is nobody to send to
});

it("is over when the learner ends it, with what was sent before", async () => {
  const learner = await learnerOf();
  const stream = new LearnerStream(learner.address);
  const messages: unknown[] = [];
  stream.on("message", (message) => messages.push(message.message));
  const closed = once(stream, "closed");
  void stream.send({ hello: { run_id: "run-1" } });
  const session = await learner.session();
  session.send({ drain: { reason: "superseded" } });
  session.end();
  expect((await closed)[0]).toBe("the learner ended the stream");
  expect(messages).toEqual(["welcome", "drain"]);
});

it("hands out nothing more once it is closed: grpc-js still emits a message that it had begun to read", async () => {
  const learner = await learnerOf();
  const made = vi.spyOn(Client.prototype, "makeBidiStreamRequest");
  onTestFinished(() => made.mockRestore());
  const stream = new LearnerStream(learner.address);
  const call = made.mock.results[0]!.value as EventEmitter; // the real call, to have such a message at a known moment
  const messages: unknown[] = [];
  stream.on("message", (message) => messages.push(message.message));
  const welcome = once(stream, "message");
  void stream.send({ hello: { run_id: "run-1" } });
  await learner.session();
  await welcome;
  stream.abort("the learner moved");
  call.emit("data", { message: "welcome" });
  expect(messages).toEqual(["welcome"]);
});
