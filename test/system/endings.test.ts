import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { done, run, start, temporaryFolder } from "./command.ts";

let folder: ReturnType<typeof temporaryFolder>;
let runDir: string;
beforeEach(() => {
  folder = temporaryFolder();
  runDir = join(folder.path, "run");
});
afterEach(() => folder.remove());

const train = (...flags: string[]): string[] => ["train", "--json", "--run-dir", runDir, ...flags];
const cartPole = (...flags: string[]): string[] => train("--env", "CartPole-v1", ...flags);

/** Command lines of living processes that name the run folder; a zombie has none. */
function processesOfRun(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      } catch {
        return ""; // it ended while we looked
      }
    })
    .filter((line) => line.includes(runDir));
}

/** A port that is in use while the test runs. */
async function portInUse(): Promise<number> {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void other.close());
  return (other.address() as { port: number }).port;
}

describe("the ways in which a run ends", () => {
  it("resuming a finished run says done with the same result at once; its old address is not asked to stop", async () => {
    const first = done(await run(cartPole("--total-steps", "4096")));
    const again = start(train("--resume"));
    const begun = performance.now();
    const finished = await again.finished;
    expect(finished.status, finished.stderr).toBe(0);
    expect(done(finished)).toEqual(first);
    expect(performance.now() - begun).toBeLessThan(15_000);

    const stop = await run(["stop", "--run-dir", runDir]);
    expect([stop.status, stop.stdout]).toEqual([1, ""]);
    expect(stop.stderr).toMatch(/^anchorage: \[[A-Z]+\] .*\n$/);
  }, 120_000);

  it("SIGINT twice ends it at once with 130 and leaves no process behind", async () => {
    const running = start(cartPole("--total-steps", "10000000"));
    await running.event(({ event }) => event === "update");
    expect(processesOfRun().length).toBeGreaterThan(1); // train, coordinator and NATS name it
    running.process.kill("SIGINT");
    await new Promise<void>((resolve) => {
      running.process.stderr!.on("data", (text) => String(text).includes("Ctrl-C again") && resolve());
    });
    running.process.kill("SIGINT");
    expect((await running.finished).status).toBe(130);
    await expect.poll(processesOfRun, { timeout: 10_000 }).toEqual([]);
  }, 120_000);

  it.each(["coordinatorMetricsPort", "learnerMetricsPort", "learnerListen"])(
    "%s in use is one message, quickly, and leaves no run behind",
    async (field) => {
      const port = await portInUse();
      const deploy = join(folder.path, "deploy.yaml");
      writeFileSync(deploy, `${field}: ${field === "learnerListen" ? `127.0.0.1:${port}` : port}\n`);
      const begun = performance.now();
      const { status, stderr, events } = await run(cartPole("--deploy", deploy));
      expect(status).toBe(1);
      expect(stderr).toMatch(
        new RegExp(`^anchorage: \\[ADDRESS\\] .*127.0.0.1:${port}: another process uses it.*\\n$`),
      );
      expect(events).toEqual([{ event: "failed", message: stderr.trim().replace("anchorage: ", "") }]);
      expect(performance.now() - begun).toBeLessThan(15_000);
      expect(readdirSync(folder.path)).toEqual(["deploy.yaml"]);
    },
    60_000,
  );

  it("a coordinator whose address is in use leaves no run: the corrected command is taken", async () => {
    const listen = `127.0.0.1:${await portInUse()}`;
    const coordinator = ["coordinator", "--env", "CartPole-v1", "--run-dir", runDir, "--listen"];
    const { status, stderr } = await run([...coordinator, listen]);
    expect([status, stderr.includes(`[ADDRESS] The coordinator cannot listen on ${listen}`)]).toEqual([1, true]);
    const corrected = start([...coordinator, "127.0.0.1:0"], { env: { ANCHORAGE_LOG: "info" } });
    const opened = new Promise<string>((resolve) => {
      corrected.process.stderr!.on("data", (text) => String(text).includes("new run") && resolve("new run"));
    });
    const ended = corrected.finished.then(({ stderr: text }) => text);
    expect(await Promise.race([opened, ended])).toBe("new run");
    corrected.process.kill("SIGTERM");
    expect((await corrected.finished).status).toBe(0);
  }, 60_000);

  it("stop by a folder whose endpoint.json names another run's coordinator is refused, and that run goes on", async () => {
    done(await run(cartPole("--total-steps", "1024")));
    const other = temporaryFolder();
    onTestFinished(other.remove);
    const otherRun = join(other.path, "run");
    const running = start(["train", "--json", "--env", "CartPole-v1", "--run-dir", otherRun]);
    const updated = await running.event(({ event }) => event === "update");
    writeFileSync(join(runDir, "endpoint.json"), readFileSync(join(otherRun, "endpoint.json")));
    const stop = await run(["stop", "--run-dir", runDir]);
    expect([stop.status, stop.stdout]).toEqual([1, ""]);
    await running.event(({ event, update }) => event === "update" && Number(update) > Number(updated.update) + 1);
    running.process.kill("SIGTERM");
    expect((await running.finished).status).toBe(130);
  }, 120_000);
});
