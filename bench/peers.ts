import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { OperatorError } from "../shared/errors.ts";
import { projectRoot } from "../shared/nativeParts.ts";
import type { Measured } from "./ours.ts";

const run = promisify(execFile);

/** The Python of the peers' venv in the cache folder; bench/peers/install.sh makes it. */
export function peersPython(): string {
  const { ANCHORAGE_CACHE, XDG_CACHE_HOME } = process.env;
  const cache = ANCHORAGE_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "anchorage");
  const python = join(cache, "peers", "bin", "python");
  if (!existsSync(python))
    throw new OperatorError(
      "SETUP",
      `The peers are not installed: ${python} is missing.`,
      "Run: bash bench/peers/install.sh (about 5 GB).",
    );
  return python;
}

/** Runs bench/peers/<script> and reads the JSON object on its last line. */
export async function runPeer(script: string, args: readonly string[]): Promise<Measured> {
  const file = join(projectRoot, "bench", "peers", script);
  const { stdout } = await run(peersPython(), ["-W", "ignore", file, ...args], { maxBuffer: 1 << 26 });
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Measured;
}
