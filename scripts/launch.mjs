import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { projectRoot } from "./setup/places.mjs";

/** One Ctrl-C under npm arrives here twice, from the terminal and again from npm, milliseconds apart; a second press does not. */
const sameSignalMs = 300;

/**
 * Runs a compiled program of ours with our standard streams and ends this process as it ends.
 * It gets a process group of its own, so that a signal reaches it through us only, and exactly once.
 */
export function launch(program, args) {
  // ipc: its closing tells the program that we were killed
  const options = {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    detached: true,
    env: { TF_CPP_MIN_LOG_LEVEL: "2", ...process.env },
  };
  const child = spawn(process.execPath, [join(projectRoot, "dist", program), ...args], options);
  const last = {};
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => {
      const now = performance.now();
      if (now - (last[signal] ?? Number.NEGATIVE_INFINITY) > sameSignalMs) child.kill(signal);
      last[signal] = now;
    });
  child.on("error", (error) => {
    process.stderr.write(`error: ${program} could not be started: ${error.message}\n`);
    process.exit(1);
  });
  child.on("exit", (status, signal) => process.exit(status ?? 128 + constants.signals[signal]));
}
