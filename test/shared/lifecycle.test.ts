import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { Lifecycle } from "../../shared/lifecycle.ts";
import { logger } from "../../shared/log.ts";
import { projectRoot } from "../../shared/nativeParts.ts";

process.env.ANCHORAGE_LOG ??= "silent";
const log = logger("test");
const asked = { kind: "asked", detail: "test" } as const;

it("closes in the reverse order of making, each once", async () => {
  const lifecycle = new Lifecycle(log);
  const order: string[] = [];
  for (const name of ["folder", "server", "streams"]) lifecycle.onClose(name, async () => void order.push(name));
  await Promise.all([lifecycle.close(), lifecycle.close()]);
  expect(order).toEqual(["streams", "server", "folder"]);
});

it("a closer that fails or hangs does not keep the others from running", async () => {
  const lifecycle = new Lifecycle(log);
  const order: string[] = [];
  lifecycle.onClose("folder", () => void order.push("folder"));
  lifecycle.onClose("hangs", () => new Promise(() => undefined), 10);
  lifecycle.onClose("fails", () => {
    throw new Error("no");
  });
  await lifecycle.close();
  expect(order).toEqual(["folder"]);
});

it("stops once, and keeps the first reason", async () => {
  const lifecycle = new Lifecycle(log);
  const stopped = lifecycle.stopped();
  expect(lifecycle.reason).toBeNull();
  lifecycle.stop(asked);
  lifecycle.stop({ kind: "signal", detail: "SIGINT" });
  expect([await stopped, await lifecycle.stopped(), lifecycle.reason]).toEqual([asked, asked, asked]);
});

/** A process with processLifecycle from dist that says what happens to it; `more` runs in it. */
async function started(more: string, options = "{}"): Promise<ChildProcess> {
  const folder = await mkdtemp(join(projectRoot, "dist", "lifecycle-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const script = join(folder, "child.mjs");
  const from = (name: string): string => JSON.stringify(pathToFileURL(join(projectRoot, "dist", "shared", name)).href);
  await writeFile(
    script,
    `import { processLifecycle } from ${from("lifecycle.js")};
     import { logger } from ${from("log.js")};
     const lifecycle = processLifecycle(logger("child"), ${options});
     process.send("ready");
     ${more}`,
  );
  const child = fork(script, { stdio: ["ignore", "ignore", "ignore", "ipc"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "message");
  return child;
}

it("drains on the first signal and exits at once on the second", async () => {
  const forever = 'setInterval(() => {}, 1000); await lifecycle.stopped(); process.send("draining");';
  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    const child = await started(forever);
    child.kill(signal);
    expect((await once(child, "message"))[0]).toBe("draining");
    child.kill(signal);
    expect(await once(child, "exit")).toEqual([status, null]);
  }
});

it("an unhandled rejection or exception ends the process with status 1", async () => {
  for (const bug of ['Promise.reject(new Error("bug"));', 'setTimeout(() => { throw new Error("bug"); }, 0);']) {
    const child = await started(`${bug} setInterval(() => {}, 1000);`);
    expect(await once(child, "exit")).toEqual([1, null]);
  }
});

it("a child drains when its parent is gone, and exits hard when it takes too long", async () => {
  const drains = await started(
    "setInterval(() => {}, 1000); const { kind } = await lifecycle.stopped(); process.exit(kind === 'parent' ? 7 : 8);",
  );
  drains.disconnect();
  expect(await once(drains, "exit")).toEqual([7, null]);
  const hangs = await started("setInterval(() => {}, 1000);", "{ orphanGraceMs: 50 }");
  hangs.disconnect();
  expect(await once(hangs, "exit")).toEqual([1, null]);
});

it("a child whose work is done is not kept alive by the channel to its parent", async () => {
  const child = await started("");
  expect(await once(child, "exit")).toEqual([0, null]);
});
