import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { onTestFinished } from "vitest";

const asIs = (bytes: Buffer): Buffer => bytes;

/** What a client without our checks of its own certificate (`folder`; null: none) is answered; `ca`: PEM, whom it believes. */
export function bareCall(
  address: string,
  path: string,
  folder: string | null,
  ca: string | Buffer,
): Promise<ServiceError | null> {
  const file = (name: string): Buffer | null => (folder === null ? null : readFileSync(join(folder, name)));
  const whoever = { checkServerIdentity: () => undefined };
  const name = { "grpc.ssl_target_name_override": "localhost" }; // an address is no TLS server name
  const client = new Client(
    address,
    credentials.createSsl(Buffer.from(ca), file("tls.key"), file("tls.crt"), whoever),
    name,
  );
  onTestFinished(() => client.close());
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, asIs, asIs, Buffer.alloc(0), (error) => resolve(error));
  });
}
