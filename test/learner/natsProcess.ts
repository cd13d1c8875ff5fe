import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nativeParts } from "../../shared/nativeParts.ts";

/** A real NATS server that can be killed and started again on the same port, with its storage or without. */
export class NatsProcess {
  readonly port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "anchorage-nats-"));
  #child: ChildProcess | null = null;

  private constructor(port: number) {
    this.port = port;
  }

  /** Reserves a port; nothing listens on it yet. */
  static async prepare(): Promise<NatsProcess> {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const { port } = probe.address() as { port: number };
    await new Promise((resolve) => probe.close(resolve));
    return new NatsProcess(port);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Resolves when the server says that it is ready. */
  async start(): Promise<this> {
    const binary = process.env.ANCHORAGE_NATS_SERVER ?? nativeParts().natsServer;
    if (!binary) throw new Error("no NATS server binary: run npm run setup");
    const args = ["--addr", "127.0.0.1", "--port", String(this.port), "--jetstream", "--store_dir", this.#folder];
    const child = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      let said = "";
      child.stderr!.on("data", (chunk: Buffer) => {
        said += chunk.toString();
        if (said.includes("Server is ready")) resolve();
      });
      child.once("exit", (code) => reject(new Error(`nats-server ended with ${code}: ${said}`)));
    });
    return this;
  }

  /** kill -9, as a lost machine would look. */
  async kill(): Promise<void> {
    if (this.#child === null || this.#child.exitCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
    this.#child = null;
  }

  /** The storage is lost, too; only while the server is down. */
  loseStorage(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async dispose(): Promise<void> {
    await this.kill();
    this.loseStorage();
  }
}
