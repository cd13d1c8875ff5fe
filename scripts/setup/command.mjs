import { spawn } from "node:child_process";
import { SetupError } from "./setupError.mjs";

/**
 * Runs a program quietly and gives its standard output. Throws a SetupError that holds the command line
 * and the last `lines` of what it printed when it cannot be started or does not exit with 0.
 */
export function command(program, args, { lines = 30, ...options } = {}) {
  return new Promise((done, failed) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    const out = [];
    const all = [];
    child.stdout.on("data", (bytes) => {
      out.push(bytes);
      all.push(bytes);
    });
    child.stderr.on("data", (bytes) => all.push(bytes));
    child.on("error", (error) => failed(new SetupError(`${program} could not be started: ${error.message}`)));
    child.on("close", (status, signal) => {
      if (status === 0) return done(Buffer.concat(out).toString());
      const printed = Buffer.concat(all).toString().trim().split("\n").slice(-lines).join("\n");
      failed(
        new SetupError(`${[program, ...args].join(" ")}\nended with ${signal ?? `status ${status}`}:\n${printed}`),
      );
    });
  });
}
