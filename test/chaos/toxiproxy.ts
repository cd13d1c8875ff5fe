import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { freePort, listening } from "../../cli/natsServer.ts";
import { projectRoot } from "../../shared/nativeParts.ts";

/** null: toxiproxy can run here; else why not, for describe.skipIf and the test's name. */
export function noToxiproxy(): string | null {
  return spawnSync("go", ["version"]).status === 0 ? null : "no go on PATH to compile toxiproxy with";
}

/** What a toxic does to the bytes of one direction; attributes as in toxiproxy's README. */
export interface Toxic {
  readonly type: "latency" | "bandwidth" | "timeout" | "reset_peer";
  /** upstream: towards the server; downstream: towards the client. */
  readonly stream: "upstream" | "downstream";
  readonly attributes: Readonly<Record<string, number>>;
}

type Api = (method: string, path: string, body?: object) => Promise<Record<string, unknown>>;

/** One proxied address: clients connect to `address`, which toxiproxy connects to the real server. */
export class Link {
  readonly address: string; // host:port
  readonly #api: Api;
  readonly #path: string;

  constructor(name: string, address: string, api: Api) {
    this.address = address;
    this.#path = `/proxies/${name}`;
    this.#api = api;
  }

  /** Ends every connection and lets no new one in, as a firewall that refuses. */
  async cut(): Promise<void> {
    await this.#api("POST", this.#path, { enabled: false });
  }

  /** New connections get through again. */
  async mend(): Promise<void> {
    await this.#api("POST", this.#path, { enabled: true });
  }

  /** From now on: all bytes vanish in both directions and no end of a connection is passed on: half-open links. */
  async swallow(): Promise<void> {
    // timeout 0: data stops and the connection stays open until the toxic is removed
    for (const stream of ["upstream", "downstream"] as const)
      await this.#add({ type: "timeout", stream, attributes: { timeout: 0 } });
  }

  /** `milliseconds` each way. */
  async delay(milliseconds: number): Promise<void> {
    for (const stream of ["upstream", "downstream"] as const)
      await this.#add({ type: "latency", stream, attributes: { latency: milliseconds, jitter: 0 } });
  }

  /** `kilobytesPerSecond` each way. */
  async slow(kilobytesPerSecond: number): Promise<void> {
    for (const stream of ["upstream", "downstream"] as const)
      await this.#add({ type: "bandwidth", stream, attributes: { rate: kilobytesPerSecond } });
  }

  /** No toxics any more. Connections that bytes are missing from, by a swallow(), are closed: TCP would not go on either. */
  async heal(): Promise<void> {
    const toxics = (await this.#api("GET", `${this.#path}/toxics`)) as unknown as { name: string; type: string }[];
    for (const { name } of toxics) await this.#api("DELETE", `${this.#path}/toxics/${name}`);
    if (!toxics.some(({ type }) => type === "timeout")) return;
    await this.cut();
    await this.mend();
  }

  async #add({ type, stream, attributes }: Toxic): Promise<void> {
    await this.#api("POST", `${this.#path}/toxics`, { name: `${type}_${stream}`, type, stream, attributes });
  }
}

/** A toxiproxy server of this test's own. */
export class Toxiproxy {
  readonly #child: ChildProcess;
  readonly #url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
  }

  /** Compiles the server if it is not in the cache (about a minute), starts it on a free port. */
  static async start(): Promise<Toxiproxy> {
    const script = join(projectRoot, "scripts", "toxiproxy.mjs");
    const found = spawnSync(process.execPath, [script], { encoding: "utf8" });
    if (found.status !== 0) throw new Error(`no toxiproxy: ${found.stderr}`);
    const port = await freePort();
    const args = ["-host", "127.0.0.1", "-port", String(port)];
    const child = spawn(found.stdout.trim(), args, { stdio: "ignore" });
    await listening(port, "toxiproxy");
    return new Toxiproxy(child, `http://127.0.0.1:${port}`);
  }

  /** A proxy on a free port in front of `upstream` (host:port), which need not listen yet. */
  async link(name: string, upstream: string): Promise<Link> {
    const made = await this.#api("POST", "/proxies", { name, listen: "127.0.0.1:0", upstream, enabled: true });
    return new Link(name, String(made.listen), (method, path, body) => this.#api(method, path, body));
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }

  async #api(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`toxiproxy: ${method} ${path}: ${response.status} ${text}`);
    return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
  }
}
