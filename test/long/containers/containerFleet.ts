import { randomBytes } from "node:crypto";
import { chownSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { onTestFinished } from "vitest";
import { certificates } from "../../../cli/certificates.ts";
import { updateRecords } from "../../chaos/runRecord.ts";
import { kubernetesFolder, rendered, type Workload, workloads } from "../../deploy/rendered.ts";
import { temporaryFolder } from "../../system/command.ts";
import { imageOf, podman, podmanEnvironment } from "./images.ts";

const user = 10_001;

/**
 * The base of deploy/kubernetes as containers on one network: its settings, commands and users, mutual TLS, read-only root file
 * systems; what Kubernetes mounts is mounted. Ends with the test.
 */
export class ContainerFleet {
  readonly runDir: string;
  readonly #folder: string;
  readonly #network = `anchorage-${randomBytes(4).toString("hex")}`;
  readonly #workloads: readonly Workload[];

  private constructor(folder: string, found: readonly Workload[]) {
    this.#folder = folder;
    this.#workloads = found;
    this.runDir = join(folder, "data-coordinator", "first");
  }

  /** `run`: run.yaml in place of the base's. */
  static async make(run: string): Promise<ContainerFleet> {
    const temporary = temporaryFolder();
    const { objects } = await rendered(join(kubernetesFolder, "base"));
    const fleet = new ContainerFleet(temporary.path, workloads(objects));
    onTestFinished(async () => {
      await podman("network", "rm", "--force", fleet.#network); // with the containers on it
      temporary.remove();
    });
    await podman("network", "create", fleet.#network);
    await fleet.#prepare(run);
    return fleet;
  }

  async #prepare(run: string): Promise<void> {
    const settings = join(this.#folder, "settings");
    mkdirSync(settings);
    for (const file of ["deploy.yaml", "nats.conf"])
      copyFileSync(join(kubernetesFolder, "base", file), join(settings, file));
    writeFileSync(join(settings, "run.yaml"), run);
    await certificates(join(this.#folder, "certs"), { host: ["coordinator", "learner", "nats"], days: 2 });
    for (const role of readdirSync(join(this.#folder, "certs"))) this.#own(join(this.#folder, "certs", role));
    for (const name of ["data-coordinator", "data-nats"]) {
      mkdirSync(join(this.#folder, name));
      this.#own(join(this.#folder, name));
    }
    chownSync(this.#folder, user, user);
  }

  #own(folder: string): void {
    chownSync(folder, user, user);
    for (const name of readdirSync(folder)) chownSync(join(folder, name), user, user);
  }

  /** Starts a container of a role as its manifest does. `name` is its host name on the network. */
  async start(role: string, name = role): Promise<void> {
    const { container } = this.#workloads.find((each) => each.name === role)!;
    const args = (container.args as string[]).map((arg) => arg.replace("$(RUN)", "first"));
    const settings = `${join(this.#folder, "settings")}:${role === "nats" ? "/etc/nats" : "/etc/anchorage/settings"}:ro`;
    const data = existsSync(join(this.#folder, `data-${role}`));
    await podman(
      ...["run", "--detach", "--name", this.named(name), "--network", this.#network, "--network-alias", name],
      ...["--read-only", "--user", `${user}:${user}`, "--cap-drop", "all", "--security-opt", "no-new-privileges"],
      ...["--tmpfs", "/tmp:size=64m", "--volume", settings],
      ...["--volume", `${join(this.#folder, "certs", role)}:/etc/anchorage/tls:ro`],
      ...(data ? ["--volume", `${join(this.#folder, `data-${role}`)}:/data`] : []),
      ...(container.workingDir ? ["--workdir", container.workingDir as string] : []),
      ...[imageOf(role), ...args],
    );
  }

  /** Names are of the whole machine. */
  named(name: string): string {
    return `${this.#network}-${name}`;
  }

  get updates(): number {
    return updateRecords(this.runDir).length;
  }

  get state(): { readonly state: string; readonly weightsSha256: string } {
    const file = join(this.runDir, "state.json");
    return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { state: "", weightsSha256: "" };
  }

  async logs(name: string): Promise<string> {
    return podman("logs", this.named(name));
  }

  /** What the image's own health check says. Rejects where it has none. */
  async healthy(name: string): Promise<boolean> {
    const { exitCode, stderr } = await execa("podman", ["healthcheck", "run", this.named(name)], {
      env: podmanEnvironment(),
      reject: false,
    });
    if (exitCode !== 0 && exitCode !== 1) throw new Error(stderr);
    return exitCode === 0;
  }

  /** SIGTERM, as Kubernetes sends it; gives the exit status. */
  async stop(name: string, graceSeconds: number): Promise<number> {
    await podman("stop", "--time", String(graceSeconds), this.named(name));
    return Number(await podman("inspect", "--format", "{{.State.ExitCode}}", this.named(name)));
  }
}
