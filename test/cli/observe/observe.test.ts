import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { startPrometheus, writePrometheusSettings } from "../../../cli/observe/prometheusServer.ts";
import { registration, startCoordinator, temporaryFolder } from "../../coordinator/runningCoordinator.ts";
import { run, start } from "../../system/command.ts";

it("keeps a file of the run's processes current for a Prometheus of one's own", async () => {
  const runDir = await temporaryFolder();
  const data = await temporaryFolder();
  const { client, address, metricsPort } = await startCoordinator({ runDir });
  const token = join(runDir, "secrets", "control-token");
  const observing = start([
    "observe",
    "--coordinator",
    address,
    "--control-token",
    token,
    "--data",
    data,
    "--targets-only",
    "--json",
  ]);
  onTestFinished(() => void observing.process.kill("SIGKILL"));
  const targets = (): unknown => JSON.parse(readFileSync(join(data, "targets.json"), "utf8"));
  expect(await observing.event(({ event }) => event === "targets_file")).toMatchObject({
    file: join(data, "targets.json"),
  });
  expect(targets()).toEqual([{ targets: [`127.0.0.1:${metricsPort}`] }]);
  const { member_id } = await client.register({ ...registration("ACTOR"), host: hostname() });
  const status_json = JSON.stringify({ metricsHost: "127.0.0.1", metricsPort: 4321 });
  await client.heartbeat({ member_id, role: "ACTOR", status_json });
  await observing.event(({ event, actor }) => event === "targets" && (actor as string[]).includes("127.0.0.1:4321"));
  await expect.poll(targets).toEqual([{ targets: [`127.0.0.1:${metricsPort}`, "127.0.0.1:4321"] }]);
  observing.process.kill("SIGTERM");
  expect((await observing.finished).status).toBe(0);
});

it("refuses with one clear error: no run, nobody there, no Prometheus, a port in use", async () => {
  const words = async (...args: string[]) => (await run(["observe", ...args])).stderr;
  expect(await words()).toContain(
    "[CONFIG] Which run? Give --run-dir FOLDER (on this machine) or --coordinator HOST:PORT.",
  );
  const empty = await temporaryFolder();
  expect(await words("--run-dir", empty)).toContain(`[STORAGE] There is no run in ${empty}`);
  expect(await words("--port", "x")).toContain("Give a port, 0 to 65535.");
  const data = await temporaryFolder();
  const gone = await words("--coordinator", "127.0.0.1:9", "--data", data);
  expect(gone).toContain(
    "[NETWORK] The coordinator of 127.0.0.1:9 cannot be reached, and nothing of the run was recorded here.",
  );
  const runDir = await temporaryFolder();
  const { address } = await startCoordinator({ runDir });
  const live = ["--coordinator", address, "--control-token", join(runDir, "secrets", "control-token"), "--data", data];
  expect(await words(...live, "--prometheus", "no-such-program")).toMatch(
    /\[SETUP\] The program no-such-program cannot be run: .*ENOENT.*apt-get install prometheus/,
  );
  const taken = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void taken.close());
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };
  writePrometheusSettings(data);
  await expect(startPrometheus({ program: "true", folder: data, port })).rejects.toThrow(
    `[ADDRESS] Port ${port} of 127.0.0.1 is in use. Give another one with --port (0: any).`,
  );
});

it("a Prometheus that ends at its start is told with its last words", async () => {
  const data = await temporaryFolder();
  writePrometheusSettings(data);
  await expect(startPrometheus({ program: "echo", folder: data, port: 19_877 })).rejects.toThrow(
    /\[PROCESS\] Prometheus does not serve: .*--config.file=/,
  );
});
