import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Client, type ServiceDefinition, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { Registry } from "prom-client";
import { Authority } from "../cli/authority.ts";
import { clientOptions } from "../shared/grpcOptions.ts";
import { startGrpcServer } from "../shared/grpcServer.ts";
import { identityFiles, type PeerRole } from "../shared/identity.ts";
import { logger } from "../shared/log.ts";
import { portRefusals } from "../shared/portRefusals.ts";
import { Transport } from "../shared/transport.ts";
import { median } from "./endToEnd.ts";
import { appendResults, type Row, table } from "./results.ts";

/**
 * What mutual TLS costs: `node dist/bench/tlsCost.js [--rounds N] [--no-write]`. Messages of 1 MiB (a rollout's size) through
 * our gRPC server and client, to the server and from it, in turns with and without TLS; CPU time of both ends together.
 */
const { values } = parseArgs({
  options: { rounds: { type: "string", default: "7" }, "no-write": { type: "boolean", default: false } },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds} is no count: give 1 or more`);
const messages = 128;
const messageBytes = 1024 * 1024;
/** A protobuf message with one field of bytes. */
const message = Buffer.concat([Buffer.from([0x0a, 0x80, 0x80, 0x40]), Buffer.alloc(messageBytes, 7)]);

const asIs = (bytes: Buffer): Buffer => bytes;
const method = (path: string, requestStream: boolean) => ({
  path,
  requestStream,
  responseStream: !requestStream,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
});
const service = {
  Up: method("/bench.Tls/Up", true),
  Down: method("/bench.Tls/Down", false),
} satisfies ServiceDefinition;

const handlers: UntypedServiceImplementation = {
  Up: (call: AsyncIterable<Buffer>, done: (error: Error | null, reply?: Buffer) => void) => {
    const drain = async (): Promise<void> => {
      for await (const _ of call);
    };
    drain().then(
      () => done(null, Buffer.alloc(0)),
      (error: Error) => done(error),
    );
  },
  Down: async (call: { write(chunk: Buffer): boolean; end(): void; once(event: "drain", then: () => void): void }) => {
    for (let i = 0; i < messages; i++)
      if (!call.write(message)) await new Promise<void>((resolve) => call.once("drain", resolve));
    call.end();
  },
};

function up(client: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = client.makeClientStreamRequest(service.Up.path, asIs, asIs, (error) =>
      error === null ? resolve() : reject(error),
    );
    const send = async (): Promise<void> => {
      for (let i = 0; i < messages; i++)
        if (!call.write(message)) await new Promise<void>((drained) => call.once("drain", drained));
      call.end();
    };
    send().catch(reject);
  });
}

async function down(client: Client): Promise<void> {
  for await (const _ of client.makeServerStreamRequest(service.Down.path, asIs, asIs, Buffer.alloc(0)));
}

/** A server and its client, by mutual TLS or in plain text. */
async function pair(server: Transport, client: Transport) {
  const limit = { messageBytes: 2 * messageBytes, calls: 4, requestMs: null };
  const running = await startGrpcServer({
    ...{ what: "The bench", listen: "127.0.0.1:0", name: "bench.Tls", setting: "listen", service, handlers },
    transport: server,
    access: { Up: ["actor"], Down: ["actor"] },
    guard: {
      limits: { Up: limit, Down: limit },
      bounds: {},
      maxConnections: 4,
      refusals: portRefusals(new Registry(), "bench", logger("bench")),
    },
  });
  const { address } = running;
  const credentials = client.clientCredentials("coordinator", "address", address);
  const stub = new Client(address, credentials, { ...clientOptions, ...client.channelOptions(address) });
  const close = (): Promise<void> => {
    stub.close();
    return running.close();
  };
  return { stub, close };
}

/** CPU-seconds of this process, which is both ends, per MB (10^6 bytes) moved. */
async function cost(move: (client: Client) => Promise<void>, client: Client): Promise<number> {
  const before = process.cpuUsage();
  await move(client);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6 / ((messages * messageBytes) / 1e6);
}

async function measure(secure: [Transport, Transport]): Promise<Row[]> {
  const tls = await pair(...secure);
  const plain = await pair(Transport.plain, Transport.plain);
  const rows: Row[] = [];
  for (const [name, move] of [
    ["to the server, as rollouts", up],
    ["from the server, as checkpoints that are loaded", down],
  ] as const) {
    const costs: { plain: number; tls: number }[] = [];
    for (let i = -1; i < rounds; i++) {
      const one = { plain: await cost(move, plain.stub), tls: await cost(move, tls.stub) };
      if (i >= 0) costs.push(one); // the first turn compiles and connects
    }
    const millis = (of: (one: (typeof costs)[number]) => number): string => (1000 * median(costs.map(of))).toFixed(2);
    rows.push({
      Direction: name,
      "plain, CPU ms per MB": millis((one) => one.plain),
      "TLS, CPU ms per MB": millis((one) => one.tls),
      "TLS adds (median of turns), CPU ms per MB": millis((one) => one.tls - one.plain),
    });
  }
  await Promise.all([tls.close(), plain.close()]);
  return rows;
}

const folder = mkdtempSync(join(tmpdir(), "anchorage-bench-"));
try {
  const authority = await Authority.create();
  const transport = async (role: PeerRole): Promise<Transport> => {
    const tls = mkdtempSync(join(folder, role));
    const { certificate, key } = await authority.issue(role, ["127.0.0.1"], 1);
    writeFileSync(join(tls, identityFiles.authority), authority.certificate);
    writeFileSync(join(tls, identityFiles.certificate), certificate);
    writeFileSync(join(tls, identityFiles.key), key, { mode: 0o600 });
    return Transport.of({ tls, insecure: false }, role);
  };
  const rows = await measure([await transport("coordinator"), await transport("actor")]);
  process.stdout.write(`${table(rows)}\n`);
  if (!values["no-write"]) appendResults(rows, `node dist/bench/tlsCost.js ${process.argv.slice(2).join(" ")}`.trim());
} finally {
  rmSync(folder, { recursive: true, force: true });
}
