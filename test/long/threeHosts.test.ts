import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { expect, it, onTestFinished } from "vitest";
import { nativeParts, projectRoot } from "../../shared/nativeParts.ts";
import { NetworkHosts, noNetworkHosts } from "../chaos/networkHosts.ts";
import { named } from "../chaos/skipReason.ts";
import { until } from "../chaos/until.ts";
import { run, temporaryFolder } from "../system/command.ts";

const missing = noNetworkHosts();
const names = ["hostA", "hostB", "hostC"] as const;
type HostName = (typeof names)[number];

/** The shell commands of deploy/README.md's section "Three hosts", block by block. */
function documented(): { certificates: string; hostA: string; actors: string; status: string } {
  const text = readFileSync(join(projectRoot, "deploy", "README.md"), "utf8");
  const section = text.slice(text.indexOf("## Three hosts"), text.indexOf("## Killed, and started again"));
  const blocks = [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block!);
  expect(blocks).toHaveLength(4);
  const [certificates, hostA, actors, status] = blocks as [string, string, string, string];
  return { certificates, hostA, actors, status };
}

/** Programs that the commands call and that are not themselves what is tested: hosts are folders beside each other. */
const programs = (folder: string): Record<string, string> => ({
  npx: `shift; exec ${process.execPath} ${join(projectRoot, "dist", "cli", "main.js")} "$@"`,
  "nats-server": `exec ${nativeParts().natsServer} "$@"`,
  ssh: `cd ${folder}/"$1" && shift && exec "$@"`,
  scp: `shift; for last; do :; done; to=${folder}/"\${last%%:*}"/"\${last#*:}"; while [ $# -gt 1 ]; do cp -r "$1" "$to"; shift; done`,
});

class ThreeHosts {
  readonly #folder: string;
  readonly #hosts: NetworkHosts;
  readonly #path: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.#hosts = NetworkHosts.make(names);
    onTestFinished(() => this.#hosts.remove());
    const bin = join(folder, "bin");
    mkdirSync(bin);
    for (const [name, script] of Object.entries(programs(folder))) {
      writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(bin, name), 0o755);
    }
    this.#path = `${bin}:${process.env.PATH}`;
    for (const name of names) {
      mkdirSync(join(folder, name, "anchorage"), { recursive: true });
      this.#nameHosts(name);
    }
  }

  /** `ip netns exec` shows the files in /etc/netns/NAMESPACE in place of those in /etc. */
  #nameHosts(name: HostName): void {
    const settings = join("/etc/netns", this.#hosts.on(name).at(-1)!);
    mkdirSync(settings, { recursive: true });
    onTestFinished(() => rmSync(settings, { recursive: true }));
    const lines = names.map((each) => `${this.#hosts.address(each)} ${each}`);
    writeFileSync(join(settings, "hosts"), `127.0.0.1 localhost\n${lines.join("\n")}\n`);
  }

  /** Commands in the clone on a host; what they leave in the background ends with the test. */
  start(name: HostName, commands: string): ChildProcess {
    const [program, ...args] = this.#hosts.on(name) as [string, ...string[]];
    const child = spawn(program, [...args, "bash", "-c", `${commands}\nwait`], {
      cwd: join(this.#folder, name, "anchorage"),
      env: { ...process.env, PATH: this.#path },
      stdio: ["ignore", "ignore", "inherit"],
      detached: true, // a process group, which is ended whole
    });
    const gone = once(child, "exit");
    onTestFinished(async () => {
      try {
        process.kill(-child.pid!, "SIGKILL");
      } catch {
        // nothing of it is left
      }
      await gone;
    });
    return child;
  }

  async output(name: HostName, commands: string): Promise<string> {
    const [program, ...args] = this.#hosts.on(name) as [string, ...string[]];
    const cwd = join(this.#folder, name, "anchorage");
    const options = { cwd, env: { PATH: this.#path }, reject: false } as const;
    return (await execa(program, [...args, "bash", "-c", commands], options)).stdout;
  }

  /** Off the hosts' network, where the authority stays. */
  async trusted(commands: string): Promise<void> {
    const cwd = join(this.#folder, "trusted");
    mkdirSync(cwd);
    await execa("bash", ["-ec", commands], { cwd, env: { PATH: this.#path } });
  }
}

it.skipIf(missing !== null)(
  named("the commands of deploy/README.md train on three hosts, to the weights of one machine", missing),
  async () => {
    const temporary = temporaryFolder();
    const { certificates, hostA, actors, status } = documented();
    // a short run in place of the documented one
    const config = "--env CartPole-v1 --algo ano --total-steps 40960";
    const short = hostA.replace("--env HalfCheetah-v4 --algo ano", config);
    expect(short).not.toBe(hostA);
    const hosts = new ThreeHosts(temporary.path);
    onTestFinished(() => temporary.remove());

    await hosts.trusted(certificates);
    hosts.start("hostA", short);
    for (const name of ["hostB", "hostC"] as const) hosts.start(name, actors);
    const said = async (): Promise<string> => hosts.output("hostA", status);
    await until("both actors work", async () => ((await said()).match(/^ {2}actor /gm) ?? []).length === 2, 240_000);
    const stateFile = join(temporary.path, "hostA", "anchorage", "runs", "cheetah", "state.json");
    const state = (file: string) => JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
    await until("the run is finished", async () => state(stateFile).state === "FINISHED", 600_000);

    const alone = join(temporary.path, "alone");
    expect((await run(["train", "--run-dir", alone, ...config.split(" ")])).status).toBe(0);
    expect(state(stateFile).weightsSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(state(stateFile).weightsSha256).toBe(state(join(alone, "state.json")).weightsSha256);
  },
);
