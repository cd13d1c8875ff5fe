import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** null: hosts can be made here; else why not. */
export function noNetworkHosts(): string | null {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  if (spawnSync("ip", ["-V"]).status !== 0) return "no ip (iproute2) on PATH";
  const probe = `anchorage-${process.pid}-probe`;
  const made = spawnSync("ip", ["netns", "add", probe], { encoding: "utf8" });
  spawnSync("ip", ["netns", "del", probe]);
  return made.status === 0 ? null : `ip netns add fails here: ${made.stderr.trim()}`;
}

const prefix = "anchorage-";

/**
 * Hosts on this machine: network namespaces, each with one cable to a common switch (a bridge in a namespace of its own)
 * and no other way out. This test's own network is plugged into the same switch. Needs root.
 */
export class NetworkHosts {
  readonly names: readonly string[];
  readonly #network: string; // 198.18.x, of the range that is set apart for such tests (RFC 2544)
  readonly #switch: string;
  readonly #cable: string; // of the test itself

  private constructor(names: readonly string[], network: string) {
    this.names = names;
    this.#network = network;
    this.#switch = `${prefix}${process.pid}-switch`;
    this.#cable = `anch${process.pid}`;
  }

  /** Makes the hosts; a half-made network is removed before the error is thrown. */
  static make(names: readonly string[]): NetworkHosts {
    removeLeftovers();
    const hosts = new NetworkHosts(names, `198.18.${process.pid % 250}`);
    process.on("exit", hosts.#atExit);
    try {
      hosts.#make();
      return hosts;
    } catch (error) {
      hosts.remove();
      throw error;
    }
  }

  address(name: string): string {
    const at = this.names.indexOf(name);
    if (at < 0) throw new Error(`there is no host ${name}`);
    return `${this.#network}.${at + 1}`;
  }

  /** What runs a program on that host, to be put before its command line; it execs, so the pid stays. */
  on(name: string): readonly string[] {
    this.address(name);
    return ["ip", "netns", "exec", this.#namespace(name)];
  }

  /** Pulls a host's cable: its own end stays up, and nothing, not even an ending connection's FIN, gets through. */
  cut(name: string): void {
    ip("-n", this.#switch, "link", "set", `port${this.names.indexOf(name)}`, "down");
  }

  mend(name: string): void {
    ip("-n", this.#switch, "link", "set", `port${this.names.indexOf(name)}`, "up");
  }

  /** Cuts two hosts off from each other and from nobody else: each sends to a neighbour that is not there. */
  cutBetween(a: string, b: string): void {
    for (const [from, to] of this.#bothWays(a, b))
      ip(
        "-n",
        this.#namespace(from),
        "neigh",
        "replace",
        this.address(to),
        "lladdr",
        "02:00:00:00:00:01",
        "dev",
        "eth0",
        "nud",
        "permanent",
      );
  }

  mendBetween(a: string, b: string): void {
    for (const [from, to] of this.#bothWays(a, b))
      ip("-n", this.#namespace(from), "neigh", "del", this.address(to), "dev", "eth0");
  }

  /** Removes everything; what still runs on a host loses its network. */
  remove(): void {
    process.off("exit", this.#atExit);
    this.#atExit();
  }

  readonly #atExit = (): void => {
    for (const name of [...this.names.map((one) => this.#namespace(one)), this.#switch])
      spawnSync("ip", ["netns", "del", name]); // takes both ends of its cables with it
    spawnSync("ip", ["link", "del", this.#cable]);
  };

  #make(): void {
    ip("netns", "add", this.#switch);
    ip("-n", this.#switch, "link", "add", "bridge", "type", "bridge");
    ip("-n", this.#switch, "link", "set", "bridge", "up");
    for (const [i, name] of this.names.entries()) {
      const namespace = this.#namespace(name);
      ip("netns", "add", namespace);
      ip("-n", namespace, "link", "add", "eth0", "type", "veth", "peer", "name", `port${i}`, "netns", this.#switch);
      ip("-n", namespace, "address", "add", `${this.address(name)}/24`, "dev", "eth0");
      ip("-n", namespace, "link", "set", "lo", "up");
      ip("-n", namespace, "link", "set", "eth0", "up");
      this.#plugIn(`port${i}`);
    }
    ip("link", "add", this.#cable, "type", "veth", "peer", "name", "portTest", "netns", this.#switch);
    ip("address", "add", `${this.#network}.254/24`, "dev", this.#cable);
    ip("link", "set", this.#cable, "up");
    this.#plugIn("portTest");
  }

  #plugIn(port: string): void {
    ip("-n", this.#switch, "link", "set", port, "master", "bridge");
    ip("-n", this.#switch, "link", "set", port, "up");
  }

  #namespace(name: string): string {
    return `${prefix}${process.pid}-${name}`;
  }

  #bothWays(a: string, b: string): [string, string][] {
    return [
      [a, b],
      [b, a],
    ];
  }
}

/** Namespaces of tests whose process is gone, however it went. */
function removeLeftovers(): void {
  const { stdout } = spawnSync("ip", ["netns", "list"], { encoding: "utf8" });
  for (const [name] of stdout.matchAll(/^anchorage-(\d+)-\S+/gm))
    if (!existsSync(`/proc/${name.split("-")[1]}`)) spawnSync("ip", ["netns", "del", name]);
}

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync("ip", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr.trim()}`);
}
