import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import { freePort } from "../../cli/natsServer.ts";
import { nativeParts } from "../../shared/nativeParts.ts";

/** A real NATS server in `folder`, with the nats.conf of `anchorage certificates` there, on a port of the loopback interface. */
export function securedNats(folder: string): Promise<string> {
  return startNats(["-c", "nats.conf"], folder);
}

/** A real NATS server with these flags; gives host:port once it is ready. Ends with the test. */
export async function startNats(flags: readonly string[], cwd: string): Promise<string> {
  const port = await freePort();
  const args = [...flags, "-a", "127.0.0.1", "-p", String(port)];
  const server: ChildProcess = spawn(nativeParts().natsServer!, args, { cwd, stdio: ["ignore", "ignore", "pipe"] });
  const gone = once(server, "exit");
  onTestFinished(async () => {
    server.kill("SIGKILL");
    await gone;
  });
  await new Promise<void>((resolve, reject) => {
    let said = "";
    server.stderr!.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("Server is ready")) resolve();
    });
    void gone.then(([status]) => reject(new Error(`nats-server ended with ${status}: ${said}`)));
  });
  return `127.0.0.1:${port}`;
}
