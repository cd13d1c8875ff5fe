/**
 * node scripts/toxiproxy.mjs: prints the path of the toxiproxy server that the fault tests put between the processes.
 * Compiled once by Go into the cache folder; the module proxy's checksum database vouches for the pinned version.
 */
import { spawnSync } from "node:child_process";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./setup/command.mjs";
import { withLock } from "./setup/lock.mjs";
import { part } from "./setup/part.mjs";
import { cacheFolder, startedAs } from "./setup/places.mjs";
import { fail } from "./setup/setupError.mjs";

const version = "v2.12.0";

/** null: it can be had here; else why not. */
export function noToxiproxy() {
  const found = spawnSync("go", ["version"], { encoding: "utf8" });
  return found.status === 0 ? null : "toxiproxy is compiled with Go, and there is no go on PATH";
}

/** The path of the server's binary. Throws a SetupError if it cannot be compiled. */
export function toxiproxyServer() {
  return withLock(join(cacheFolder(), "toxiproxy"), async () => {
    const folder = await part(`toxiproxy-${version}-${process.arch}`, async (temporary) => {
      const env = { ...process.env, GOBIN: temporary };
      await command("go", ["install", `github.com/Shopify/toxiproxy/v2/cmd/server@${version}`], { env });
      await rename(join(temporary, "server"), join(temporary, "toxiproxy-server"));
    });
    return join(folder, "toxiproxy-server");
  });
}

if (startedAs(import.meta.url)) {
  const missing = noToxiproxy();
  if (missing === null) toxiproxyServer().then(console.log, fail);
  else fail(new Error(missing));
}
