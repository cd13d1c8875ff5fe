import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { expect, it, onTestFinished } from "vitest";
import { projectRoot } from "../../../shared/nativeParts.ts";
import { updateRecords } from "../../chaos/runRecord.ts";
import { named } from "../../chaos/skipReason.ts";
import { until } from "../../chaos/until.ts";
import { blocks, docsPage, section } from "../../deploy/docsCommands.ts";
import { temporaryFolder } from "../../system/command.ts";
import { buildImages, imageOf, noContainers, podman, podmanEnvironment } from "./images.ts";

const missing = noContainers();
const page = docsPage("docs/deploy.md");
const [prepare, begin, kill] = blocks(section(page, "Containers without a cluster"), "sh") as [string, string, string];
const minutes = 60_000;

it.skipIf(missing !== null)(
  named("docs/deploy.md's containers train as they are written down, killed, started again, and stopped", missing),
  async () => {
    await buildImages();
    const { path: folder, remove } = temporaryFolder();
    onTestFinished(async () => {
      const left = (await podman("ps", "--all", "--quiet", "--filter", "network=anchorage"))
        .split("\n")
        .filter(Boolean);
      if (left.length > 0) await podman("rm", "--force", "--time", "1", ...left);
      await podman("network", "rm", "--force", "anchorage");
      remove();
    });
    /** Runs a block as it stands, but for the folder, the tag, and `npx`, which would look whether all is set up. */
    const bash = async (text: string): Promise<string> => {
      const script = text
        .replace(/^folder=.*$/m, "")
        .replaceAll(/anchorage\/(\w+|\$1):0\.1\.0/g, (_, role: string) => imageOf(role))
        .replaceAll("npx anchorage ", `${process.execPath} dist/cli/main.js `);
      const env = { ...podmanEnvironment(), folder };
      return (await execa("bash", ["-euc", script], { cwd: projectRoot, env })).stdout;
    };
    const functions = begin.slice(0, begin.indexOf("role nats nats"));
    const runDir = join(folder, "data", "first");
    const updates = (): number => (existsSync(join(runDir, "metrics.jsonl")) ? updateRecords(runDir).length : 0);

    await bash(prepare);
    writeFileSync(join(folder, "settings", "run.yaml"), "env: CartPole-v1\ntotalSteps: 50000000\n");
    await bash(begin.slice(0, begin.lastIndexOf("orders status")));
    await until("updates are made", async () => updates() >= 3, 5 * minutes);
    expect(await bash(`${functions}orders status`)).toMatch(/: running, generation 1\n/);

    const [disturb, end] = kill.split("orders status\n") as [string, string];
    await bash(functions + disturb);
    const killedAt = updates();
    await until("the next learner goes on", async () => updates() >= killedAt + 3, 5 * minutes);
    expect(await bash(`${functions}orders status`)).toMatch(/: running, generation 2\n/);
    await bash(functions + end);
    const statuses = await podman(
      "inspect",
      "--format",
      "{{.State.ExitCode}}",
      "anchorage-coordinator",
      "anchorage-learner",
      "anchorage-actor-3",
    );
    expect(statuses.split("\n")).toEqual(["0", "0", "0"]);
    expect(JSON.parse(readFileSync(join(runDir, "state.json"), "utf8")).state).toMatch(/^STOP/);
  },
);
