/**
 * node scripts/roleImage.mjs ROLE FOLDER: copies what the processes of a role need from a clone that is set up and compiled,
 * under the same paths below FOLDER: their part of dist/, the npm packages that it imports and what those depend on, the
 * native parts. With --packages in place of a folder it prints the npm packages, as JSON. So the actor's image has no TensorFlow, and the learner's no environment. For deploy/images.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { builtinModules } from "node:module";
import { dirname, join, relative } from "node:path";
import { pathsFile, projectRoot, startedAs } from "./setup/places.mjs";
import { fail, SetupError } from "./setup/setupError.mjs";

const tensorflow = "@tensorflow/tfjs-node"; // with -gpu behind it where it is for one

/** Of each role: the addons and data it loads, and packages that no import statement names. */
const roles = {
  coordinator: { addons: [], data: [], packages: ["uplot"] }, // a browser loads it
  learner: { addons: ["session"], data: ["tensorflow"], packages: [tensorflow] },
  actor: { addons: ["atari", "mujoco"], data: ["atariRoms", "mujocoModels"], packages: [] },
  nats: { addons: [], data: ["natsServer"], packages: [] },
};
const always = ["package.json", "LICENSE", "dist/.stamp.json", "proto", "dist/proto"];
const only = {
  coordinator: ["dist/page", "learner/onnx.proto"], // the page; policies for --init-from
  learner: ["learner/onnx.proto", "learner/compile/tensorflow.proto"],
};

const readJson = (file) => JSON.parse(readFileSync(file, "utf8"));

async function copyRole(role, target) {
  const paths = readJson(pathsFile);
  const copy = (path, filter) => copyTo(target, path, filter);
  const own = ownParts(role, paths);
  for (const path of await nativeFiles(own)) await copy(path, loadedOfCuda);
  if (own.tensorflow !== null) withoutSymbolTables(join(target, relative(projectRoot, own.tensorflow.library)));
  await mkdir(join(target, "build"), { recursive: true });
  await writeFile(join(target, "build", "paths.json"), `${JSON.stringify(own, null, 2)}\n`);
  if (role === "nats") return;
  const files = await modulesOf(role);
  for (const file of files) await copy(relative(projectRoot, file));
  for (const path of [...always, ...(only[role] ?? [])]) await copy(path);
  for (const folder of await packagesOf(role, paths)) await copy(folder, keptOfPackage);
}

/** Folders of the npm packages that a role's image holds, relative to the project. */
async function packagesOf(role, paths) {
  const device = paths.tensorflow?.device === "gpu" ? "-gpu" : "";
  const named = roles[role].packages.map((name) => (name === tensorflow ? `${name}${device}` : name));
  const wanted = [...externals(await modulesOf(role)), ...named];
  return packageFolders(wanted).map((folder) => relative(projectRoot, folder));
}

/** paths.json with null for what this role does not load. */
function ownParts(role, paths) {
  const { addons, data } = roles[role];
  const kept = (names, values) =>
    Object.fromEntries(Object.entries(values).map(([name, path]) => [name, names.includes(name) ? path : null]));
  return { ...kept(data, { ...paths, addons: undefined }), addons: kept(addons, paths.addons) };
}

/** The addons, the libraries of ours that they are linked with, and the data. */
async function nativeFiles({ tensorflow, addons, ...data }) {
  const made = Object.values(addons).filter((path) => path !== null);
  const linked = made.flatMap((path) =>
    [...execFileSync("ldd", [path], { encoding: "utf8" }).matchAll(/=> (\/\S+)/g)].map(([, library]) => library),
  );
  const libraries = linked.filter((path) => path.startsWith(`${projectRoot}/`));
  const cuda = tensorflow?.device === "gpu" ? [join(dirname(tensorflow.library), "nvidia")] : [];
  const files = [...made, ...libraries, ...cuda, ...Object.values(data).filter((path) => path !== null)];
  for (const path of tensorflow ? [...files, tensorflow.library] : files)
    if (!path.startsWith(`${projectRoot}/`))
      throw new SetupError(
        `${path} is outside ${projectRoot}: set ANCHORAGE_CACHE to a folder in it, and set up again.`,
      );
  return files.map((path) => relative(projectRoot, path));
}

/** Nothing loads these: TensorFlow's libraries do not hold their names, nor do NVIDIA's other ones (190 MB of 2.7 GB). */
const loadedOfCuda = (path) => !/\/nvidia\/\w+\/lib\/lib(curand|cusolverMg|cufftw|nvblas)\.so/.test(path);

/** Debuggers read them; the dynamic linker has a table of its own. 217 of TensorFlow's 853 MB, 241 of 1259 with CUDA. */
function withoutSymbolTables(folder) {
  const libraries = readdirSync(folder).filter((name) => /\.so(\.\d+)*$/.test(name));
  execFileSync("strip", ["--strip-unneeded", ...libraries.map((name) => join(folder, name))]);
}

/** The command line's start, and every module of the role's folder, with all that they import of ours. */
async function modulesOf(role) {
  const dist = join(projectRoot, "dist");
  const folder = (await readdir(join(dist, role), { recursive: true })).map((name) => join(dist, role, name));
  const start = ["main", "roles", "control"].map((name) => join(dist, "cli", `${name}.js`));
  const found = new Set();
  const waiting = [...start, ...folder.filter((file) => file.endsWith(".js"))];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    waiting.push(
      ...imports(file)
        .filter((name) => name.startsWith("."))
        .map((name) => join(dirname(file), name)),
    );
  }
  return [...found];
}

/** What a compiled module imports at its start. */
function imports(file) {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(/^(?:import\s*|(?:import|export)\b[^;'"]*?\bfrom\s*)["']([^"']+)["'];?$/gm)].map(
    ([, name]) => name,
  );
}

/** Names of the packages that modules import. */
function externals(files) {
  const names = files.flatMap(imports).filter((name) => !name.startsWith(".") && !name.startsWith("node:"));
  const packages = names.map((name) =>
    name
      .split("/")
      .slice(0, name.startsWith("@") ? 2 : 1)
      .join("/"),
  );
  return [...new Set(packages)].filter((name) => !builtinModules.includes(name));
}

/** Folders of these packages and of all that they depend on, as Node would find them. */
function packageFolders(names) {
  const found = new Set();
  const waiting = names.map((name) => [name, projectRoot, true]);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [name, from, needed] = next;
    const folder = resolved(name, from);
    if (folder === null && needed)
      throw new SetupError(`${name} is not installed, which ${from} needs: run npm run setup.`);
    if (folder === null || found.has(folder) || name.startsWith("@types/")) continue; // no process loads types
    found.add(folder);
    const { dependencies = {}, optionalDependencies = {} } = readJson(join(folder, "package.json"));
    for (const each of Object.keys(dependencies)) waiting.push([each, folder, !(each in optionalDependencies)]);
    for (const each of Object.keys(optionalDependencies)) waiting.push([each, folder, false]);
  }
  return [...found];
}

/** The nearest node_modules above `from` that holds the package; null: none. */
function resolved(name, from) {
  for (let folder = from; folder.startsWith(projectRoot); folder = dirname(folder)) {
    const here = join(folder, "node_modules", name);
    if (existsSync(join(here, "package.json"))) return realpathSync(here);
  }
  return null;
}

/** Packages ship much that no process loads: other systems' binaries, sources, source maps, bundles for browsers. */
function keptOfPackage(path) {
  const inside = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
  const binary = /^onnxruntime-node\/bin\/napi-v\d+\/(\w+)\/?(\w*)/.exec(inside);
  if (binary) return binary[1] === process.platform && ["", process.arch].includes(binary[2]);
  if (/\.(map|md|ts|flow|h|cc)$/.test(inside) && !inside.endsWith("package.json")) return false;
  if (/^@tensorflow\/[\w-]+\/(src|dist\/(tf|tfjs)[\w.-]*\.(es2017|fesm|min)[\w.-]*)(\/|$)/.test(inside)) return false;
  return !/^@tensorflow\/tfjs-node(-gpu)?\/(deps|binding|scripts)(\/|$)/.test(inside);
}

/** Nested packages are copied as packages of their own, if at all. */
async function copyTo(target, path, keep = () => true) {
  const source = join(projectRoot, path);
  const nested = join(source, "node_modules");
  const filter = (from) => !(keep === keptOfPackage && from.startsWith(nested)) && keep(from);
  await cp(source, join(target, path), { recursive: true, dereference: true, filter });
}

async function main(role, target) {
  if (target === undefined || !roles[role])
    throw new SetupError(
      `Give a role (${Object.keys(roles).join(", ")}) and a folder: node scripts/roleImage.mjs actor /image`,
    );
  if (target === "--packages") console.log(JSON.stringify(await packagesOf(role, readJson(pathsFile))));
  else await copyRole(role, target);
}

if (startedAs(import.meta.url)) main(...process.argv.slice(2)).catch(fail);
