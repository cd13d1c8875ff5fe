import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { until } from "../../chaos/until.ts";
import type { ControlPlaneHost } from "./controlPlane.ts";

/** What programs of a node write to whatever they are told, so that each host has its own. */
const ownFolders = ["/run", "/var/lib", "/var/log", "/opt", "/usr/libexec"];
const cgroups = "/sys/fs/cgroup";

/**
 * A host for a node of Kubernetes: namespaces for network, mounts, processes and name, with one cable to this machine. All
 * of its processes, mounts and addresses end with it, and it ends with this process. Needs root.
 */
export class NodeHost implements ControlPlaneHost {
  readonly address = `198.19.${process.pid % 250}.2`; // of the range that is set apart for such tests (RFC 2544)
  readonly enter: readonly string[];
  /** Below which its containers are, in every hierarchy. */
  readonly cgroup = `/anchorage-node-${process.pid}`;
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess, init: string) {
    this.#holder = holder;
    this.enter = ["nsenter", "-t", init, "-n", "-m", "-p", "-u", "--"];
  }

  static async make(): Promise<NodeHost> {
    const mounts = ownFolders.map((path) => `mount -t tmpfs anchorage ${path}`);
    const script = ["mount --make-rshared /", "mount -t proc proc /proc", ...mounts, "hostname node-0"].join(" && ");
    const namespaces = ["--net", "--mount", "--pid", "--uts", "--propagation", "private", "--fork", "--kill-child"];
    const args = [...namespaces, "sh", "-c", `${script} && echo ready && exec cat`];
    const holder = spawn("unshare", args, { stdio: ["pipe", "pipe", "inherit"] }); // its stdin ends with this process
    const [said] = (await Promise.race([once(holder.stdout!, "data"), once(holder, "exit")])) as [unknown];
    if (!String(said).startsWith("ready")) throw new Error(`there is no host for a node: ${String(said)}`);
    const init = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, "utf8").trim();
    const host = new NodeHost(holder, init);
    await host.#plugIn(init);
    for (const hierarchy of readdirSync(cgroups)) mkdirSync(join(cgroups, hierarchy, host.cgroup));
    return host;
  }

  async #plugIn(init: string): Promise<void> {
    const cable = `anchnode${process.pid}`;
    const ip = (...args: string[]) => execa("ip", args);
    await ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", init);
    await ip("address", "add", this.address.replace(/2$/, "1/24"), "dev", cable);
    await ip("link", "set", cable, "up");
    for (const words of ["link set lo up", `address add ${this.address}/24 dev eth0`, "link set eth0 up"])
      await this.run("ip", ...words.split(" "));
    await this.run("sysctl", "-qw", "net.ipv4.ip_forward=1");
  }

  /** Runs a program on it to its end. Gives what it prints; rejects with its words if it fails. */
  async run(program: string, ...args: readonly string[]): Promise<string> {
    const [first, ...rest] = [...this.enter, program, ...args] as [string, ...string[]];
    return (await execa(first, rest)).stdout;
  }

  async remove(): Promise<void> {
    const gone = once(this.#holder, "exit");
    this.#holder.kill("SIGKILL"); // and with it, by --kill-child, everything within
    await gone;
    const left = () => readdirSync(cgroups).map((hierarchy) => join(cgroups, hierarchy, this.cgroup));
    await until("its processes have ended", async () => left().every(removedCgroup));
  }
}

/** Its folders are all that can be removed of a control group. false: processes in it have yet to end. */
function removedCgroup(path: string): boolean {
  if (!existsSync(path)) return true;
  const folders = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  if (!folders.map(({ name }) => removedCgroup(join(path, name))).every(Boolean)) return false;
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EBUSY") throw error;
    return false;
  }
}
