import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { keyOf } from "./places.mjs";
import { say } from "./progress.mjs";

/**
 * Runs `work` while no other process on this machine holds the lock of that folder.
 *
 * The lock is the name of a Linux abstract socket: the kernel frees it when its holder ends, however it
 * ends, so there is no stale lock to recognise. Where two machines or containers share a cache they do not
 * see each other's lock; then both may do the same work, and the renames in part.mjs keep that harmless.
 */
export async function withLock(folder, work) {
  const path = `\0anchorage-setup-${process.getuid()}-${keyOf(folder)}`;
  let server = await listen(path);
  if (!server) say("another set-up is running; waiting for it");
  while (!server) {
    await sleep(200);
    server = await listen(path);
  }
  try {
    return await work();
  } finally {
    server.close();
  }
}

function listen(path) {
  return new Promise((done, failed) => {
    const server = createServer();
    server.on("error", (error) => (error.code === "EADDRINUSE" ? done(undefined) : failed(error)));
    server.listen({ path }, () => done(server.unref()));
  });
}
