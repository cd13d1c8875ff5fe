/** npm run check [-- GATE...]: style, types, dead code and wire types; runs every gate and names those that failed. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dashboardFolder, dashboards } from "./generateDashboards.mjs";
import { generateProtoTypes } from "./generateProtoTypes.mjs";
import { command } from "./setup/command.mjs";
import { filesBelow } from "./setup/compiler.mjs";
import { projectRoot, startedAs } from "./setup/places.mjs";
import { fail, SetupError } from "./setup/setupError.mjs";

const tool = (name, ...args) =>
  command(join(projectRoot, "node_modules", ".bin", name), args, { cwd: projectRoot, lines: 300 });

/** Tree rules, package owners, cycles and sizes are lint rules of biome.json: each was seen to fail in test/scripts. */
const gates = {
  biome: () => tool("biome", "check", "--error-on-warnings", "--max-diagnostics=200", "."),
  types: async () => {
    await tool("tsc", "-p", "tsconfig.json");
    await tool("tsc", "-p", "page/tsconfig.json", "--noEmit"); // it knows a browser's globals instead of Node's
  },
  knip: () => tool("knip", "--no-progress"),
  proto: protoTypesAreFresh,
  dashboards: dashboardsAreFresh,
};

async function protoTypesAreFresh() {
  const folder = await mkdtemp(join(tmpdir(), "anchorage-proto-"));
  try {
    await generateProtoTypes(folder);
    const committed = join(projectRoot, "proto", "gen");
    const names = new Set([
      ...(await filesBelow(folder, ".", [".ts"])),
      ...(await filesBelow(committed, ".", [".ts"])),
    ]);
    const read = (root, name) => readFile(join(root, name), "utf8").catch(() => "(absent)");
    for (const name of names)
      if ((await read(folder, name)) !== (await read(committed, name)))
        throw new SetupError(`proto/gen/${name} is not what the .proto files give. Run: npm run proto`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function dashboardsAreFresh() {
  const made = await dashboards();
  const names = new Set([...Object.keys(made), ...(await readdir(dashboardFolder))]);
  for (const name of names)
    if ((await readFile(join(dashboardFolder, name), "utf8").catch(() => "(absent)")) !== made[name])
      throw new SetupError(
        `${name} is not what deploy/observability/dashboards/ gives. Run: node scripts/generateDashboards.mjs`,
      );
}

/** Runs the named gates, or all; says on stdout how each went. True if all passed. */
export async function check(names = Object.keys(gates)) {
  const unknown = names.filter((name) => !(name in gates));
  if (unknown.length)
    throw new SetupError(`No gate is called ${unknown.join(", ")}. There are: ${Object.keys(gates).join(", ")}.`);
  let failed = 0;
  for (const name of names) {
    const since = performance.now();
    const problem = await gates[name]().then(
      () => undefined,
      (error) => error,
    );
    if (problem && !(problem instanceof SetupError)) throw problem;
    console.log(`check ${name}: ${problem ? "FAILED" : "ok"} (${((performance.now() - since) / 1000).toFixed(1)} s)`);
    if (problem) console.log(`${problem.message}\n`);
    if (problem) failed++;
  }
  return failed === 0;
}

if (startedAs(import.meta.url)) {
  const names = process.argv.slice(2);
  const passed = await check(names.length ? names : undefined).catch(fail);
  process.exitCode = passed ? 0 : 1;
}
