import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { expect, it, onTestFinished } from "vitest";
import { coordinatorProto } from "../../proto/load.ts";
import { flowControlWindow } from "../../shared/flowControl.ts";
import { startGrpcServer } from "../../shared/grpcServer.ts";
import { Transport } from "../../shared/transport.ts";
import { openGuard } from "./openGuard.ts";

/** A gRPC server without a method that answers, and a plain HTTP/2 connection to it. */
async function connected(): Promise<{ readonly address: string; readonly session: ClientHttp2Session }> {
  const { service } = coordinatorProto.Coordinator;
  const server = await startGrpcServer({
    what: "The test",
    listen: "127.0.0.1:0",
    name: "anchorage.v1.Coordinator",
    service,
    handlers: {},
    guard: openGuard(),
    transport: Transport.plain,
    setting: "listen",
    access: {},
  });
  onTestFinished(() => server.close());
  const session = connect(`http://${server.address}`);
  onTestFinished(() => session.destroy());
  const windows = once(session, "remoteSettings");
  await once(session, "connect");
  await windows;
  return { address: server.address, session };
}

it("a server lets a megabyte come per stream and per connection before it has to ask for more", async () => {
  const { session } = await connected();
  expect(session.remoteSettings.initialWindowSize).toBe(flowControlWindow);
  await new Promise((done) => session.ping(done)); // behind it is all that the server sent at first
  expect(session.state.remoteWindowSize).toBe(flowControlWindow);
});
