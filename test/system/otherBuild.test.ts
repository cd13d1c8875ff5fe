import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../cli/natsServer.ts";
import { buildId, packageVersion } from "../../shared/build.ts";
import { projectRoot } from "../../shared/nativeParts.ts";
import { start, temporaryFolder } from "./command.ts";
import { startNats } from "./securedNats.ts";

/** The command line of the same sources, compiled by other means: its build is the version alone. */
function otherBuild(folder: string): string {
  const root = join(folder, "other");
  mkdirSync(root);
  for (const name of readdirSync(projectRoot))
    if (name !== "dist" && name !== ".git") symlinkSync(join(projectRoot, name), join(root, name));
  cpSync(join(projectRoot, "dist"), join(root, "dist"), { recursive: true });
  rmSync(join(root, "dist", ".stamp.json"));
  return join(root, "dist", "cli", "main.js");
}

it("an actor of another build is refused, with both builds named, and ends", async () => {
  const folder = temporaryFolder();
  onTestFinished(folder.remove);
  const nats = await startNats(["-js", "-sd", join(folder.path, "nats")], folder.path);
  const coordinator = `127.0.0.1:${await freePort()}`;
  for (const args of [
    ["coordinator", "--run-dir", join(folder.path, "run"), "--env", "CartPole-v1", "--listen", coordinator],
    ["learner", "--coordinator", coordinator],
  ]) {
    const running = start([...args, "--nats", nats]);
    onTestFinished(async () => {
      running.process.kill("SIGKILL");
      await running.finished;
    });
  }
  const program = otherBuild(folder.path);
  const args = [program, "actor", "--workers", "1", "--coordinator", coordinator, "--nats", nats];
  const actor = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  onTestFinished(() => void actor.kill("SIGKILL"));
  const ended = once(actor, "close");
  expect(await text(actor.stderr)).toContain(
    `[MISMATCH] The learner refused this actor: the actor's build is ${packageVersion}, the learner's is ${buildId()}. Run the same build`,
  );
  expect((await ended)[0]).toBe(1);
}, 180_000);
