import type { ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { newToken, secretsFolder, writeSecret } from "../coordinator/controlToken.ts";
import { OperatorError } from "../shared/errors.ts";
import { nativeParts } from "../shared/nativeParts.ts";
import { startKept } from "./keptProcess.ts";
import { withLogInRun } from "./openInRun.ts";

/** Where the server of `train` has its settings. The token is in it and not on the command line, which `ps` shows to all. */
const settingsFile = (runDir: string): string => join(secretsFolder(runDir), "nats.conf");

/**
 * Writes the settings of a NATS server with JetStream storage in the run folder, on `port` of the loopback interface only,
 * which asks for a token that is new with every call. Gives the file with the token. Throws STORAGE.
 */
export function writeNatsSettings(runDir: string, port: number): string {
  const folder = join(runDir, "nats");
  const token = newToken();
  const settings = {
    host: "127.0.0.1",
    port,
    jetstream: { store_dir: folder },
    pid_file: join(folder, "nats.pid"),
    authorization: { token },
  };
  writeSecret(runDir, "nats.conf", `${JSON.stringify(settings, null, 2)}\n`); // NATS reads JSON as its own format
  return writeSecret(runDir, "nats-token", `${token}\n`);
}

/** Starts the NATS server of a run whose settings are written. */
export function startNatsServer(runDir: string): ChildProcess {
  const binary = nativeParts().natsServer;
  if (binary === null)
    throw new OperatorError(
      "SETUP",
      "There is no NATS server binary.",
      "Run: npm run setup (or set ANCHORAGE_NATS_SERVER).",
    );
  const server = [binary, "--config", settingsFile(runDir)];
  return withLogInRun(runDir, "nats", "nats.log", (log) => startKept(server, log));
}

/** Resolves once something accepts connections on `port`; throws NETWORK after `timeoutMs`. */
export async function listening(port: number, what: string, timeoutMs = 15_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await accepts(port))) {
    if (Date.now() > deadline)
      throw new OperatorError(
        "NETWORK",
        `${what} does not listen on 127.0.0.1:${port} after ${timeoutMs / 1000} s.`,
        "See its log in the run folder.",
      );
    await delay(50);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => socket.end(() => resolve(true)));
    socket.once("error", () => resolve(false)); // not listening yet: that is the answer
  });
}

/**
 * A port of the loopback interface that nothing uses at this moment. Below those that the system gives to outgoing
 * connections (32768 and up on Linux), one of which could take it before its server does; drawn at random, so that
 * programs that look at the same moment rarely meet. Throws ADDRESS if it finds none.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(16_384, 32_768);
    if (await bindable(port)) return port;
  }
  const problem = "100 ports of 127.0.0.1 between 16384 and 32767, drawn at random, cannot be listened on.";
  throw new OperatorError("ADDRESS", problem, "See what uses them: ss -ltn.");
}

/** Whether `port` of the loopback interface can be listened on at this moment. */
export function bindable(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false)); // in use, or not for us: that is the answer
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
