import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { controlToken, controlTokenFile, secretsFolder, writeSecret } from "../../coordinator/controlToken.ts";
import { startCoordinator, temporaryFolder } from "./runningCoordinator.ts";

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);

it("a token that came open to others, as in a copied folder, is closed at the next start and stays the same", async () => {
  const runDir = await temporaryFolder();
  const token = controlToken(runDir, null);
  expect([mode(secretsFolder(runDir)), mode(controlTokenFile(runDir))]).toEqual(["700", "600"]);
  chmodSync(secretsFolder(runDir), 0o755);
  chmodSync(controlTokenFile(runDir), 0o644);
  expect(controlToken(runDir, null)).toBe(token);
  expect([mode(secretsFolder(runDir)), mode(controlTokenFile(runDir))]).toEqual(["700", "600"]);
});

it("a secret takes the older one's place whole and closed, whatever a crash left beside it", async () => {
  const runDir = await temporaryFolder();
  mkdirSync(secretsFolder(runDir), { mode: 0o755 });
  const path = `${secretsFolder(runDir)}/nats-token`;
  writeFileSync(path, "older", { mode: 0o644 });
  const before = statSync(path).ino;
  writeFileSync(`${path}.unfinished-${process.pid}`, "", { mode: 0o644 });
  expect(writeSecret(runDir, "nats-token", "newer")).toBe(path);
  expect(readFileSync(path, "utf8")).toBe("newer");
  expect(statSync(path).ino, "another file, renamed over the older one").not.toBe(before);
  expect([mode(secretsFolder(runDir)), mode(path)]).toEqual(["700", "600"]);
  expect(readdirSync(secretsFolder(runDir))).toEqual(["nats-token"]);
  expect(existsSync(controlTokenFile(runDir))).toBe(false);
});

it("a step that the run's state does not allow names the command that tells the state", async () => {
  const { client } = await startCoordinator({ runDir: `${await temporaryFolder()}/run` });
  await client.control("STOP");
  await expect(client.control("PAUSE")).rejects.toThrow("`anchorage status`");
});
