import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/**
 * `npm run bench [-- --only environments|step|protocols|checkpoints|determinism|sizing|tls] [--no-write]`: everything that is measured,
 * each question in a process of its own; leave the machine otherwise idle (about 30 minutes on two cores). Each prints
 * its table and adds it to bench/RESULTS.md.
 */
const { values } = parseArgs({
  options: { only: { type: "string" }, "no-write": { type: "boolean", default: false } },
});
const programs: Readonly<Record<string, string>> = {
  environments: "environmentSpeed.js",
  step: "compiledStep.js",
  protocols: "protocols.js",
  tls: "tlsCost.js",
  checkpoints: "checkpointCost.js",
  determinism: "determinismCost.js",
  sizing: "sizing.js",
};
const chosen = values.only === undefined ? Object.keys(programs) : [values.only];

for (const name of chosen) {
  const program = programs[name];
  if (program === undefined) throw new Error(`--only ${name} names no bench: give ${Object.keys(programs).join(", ")}`);
  process.stderr.write(`bench: ${name}\n`);
  const file = fileURLToPath(new URL(program, import.meta.url));
  const { status } = spawnSync(process.execPath, [file, ...(values["no-write"] ? ["--no-write"] : [])], {
    stdio: "inherit",
  });
  if (status !== 0) process.exitCode = status ?? 1;
}
