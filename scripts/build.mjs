import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./setup/command.mjs";
import { digestOf, filesBelow } from "./setup/compiler.mjs";
import { withLock } from "./setup/lock.mjs";
import { whole } from "./setup/part.mjs";
import { keyOf, projectRoot, startedAs } from "./setup/places.mjs";
import { step } from "./setup/progress.mjs";
import { fail } from "./setup/setupError.mjs";

const dist = join(projectRoot, "dist");
const stampFile = join(dist, ".stamp.json");

/** Whether dist/ is whole, of these sources or of earlier ones. */
export const isCompiled = () => existsSync(stampFile);

/** Compiles the TypeScript sources to dist/ if they changed since the last time. Throws a SetupError with the compiler's words. */
export async function build() {
  if (await upToDate()) return;
  await withLock(dist, async () => {
    if (await upToDate()) return;
    const now = await sources();
    const before = existsSync(stampFile) ? JSON.parse(await readFile(stampFile, "utf8")).files : now.files;
    // what a removed source left behind must not be importable
    if (before.some((file) => !now.files.includes(file))) await rm(dist, { recursive: true, force: true });
    const tsc = join(projectRoot, "node_modules", ".bin", "tsc");
    await step("compile TypeScript", async () => {
      await command(tsc, ["-p", "tsconfig.build.json"], { cwd: projectRoot });
      await buildPage(tsc);
    });
    await whole(stampFile, (temporary) => writeFile(temporary, JSON.stringify(now)));
  });
}

const pageFiles = [".html", ".css", ".svg"];

/** The coordinator's page: scripts for browsers, which know other globals than Node, and what needs no compiler. */
async function buildPage(tsc) {
  await command(tsc, ["-p", join("page", "tsconfig.json")], { cwd: projectRoot });
  await mkdir(join(dist, "page"), { recursive: true });
  for (const file of await filesBelow(projectRoot, "page", pageFiles))
    await copyFile(join(projectRoot, file), join(dist, file));
}

async function upToDate() {
  if (!existsSync(stampFile)) return false;
  return JSON.parse(await readFile(stampFile, "utf8")).stamp === (await sources()).stamp;
}

/** What decides how the processes behave: shared/build.ts makes the build's name of the stamp. */
async function sources() {
  const { include } = JSON.parse(await readFile(join(projectRoot, "tsconfig.build.json"), "utf8"));
  const folders = include.filter((name) => !name.endsWith(".ts"));
  const single = include.filter((name) => name.endsWith(".ts") && existsSync(join(projectRoot, name)));
  const below = await Promise.all(
    [...folders, "page"].map((folder) => filesBelow(projectRoot, folder, [".ts", ".proto", ".cc", ".h", ...pageFiles])),
  );
  const files = [...single, ...below.flat()];
  const settings = ["tsconfig.json", "tsconfig.build.json", "page/tsconfig.json", "package-lock.json"];
  return { files, stamp: keyOf(await digestOf(projectRoot, [...settings, ...files])) };
}

if (startedAs(import.meta.url)) await build().catch(fail);
