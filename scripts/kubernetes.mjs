/**
 * node scripts/kubernetes.mjs [NAME ...]: compiles what the tests of deploy/kubernetes need into the cache folder and prints
 * the paths: kubeconform (a minute), and kwok, prometheus-adapter, kube-apiserver, kube-controller-manager and kube-scheduler
 * (10 to 20 minutes each on two cores, 4 GB of Go's build cache). All come from the Go module proxy, whose checksum database vouches for them.
 */
import { spawnSync } from "node:child_process";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./setup/command.mjs";
import { withLock } from "./setup/lock.mjs";
import { part } from "./setup/part.mjs";
import { cacheFolder, startedAs } from "./setup/places.mjs";
import { fail, SetupError } from "./setup/setupError.mjs";

/** The one place that names the Kubernetes release whose schemas and programs the manifests are tested with. */
export const kubernetesVersion = "v1.36.0";
const stagingVersion = kubernetesVersion.replace(/^v1/, "v0");

const installed = {
  kubeconform: { version: "v0.7.0", path: "github.com/yannh/kubeconform/cmd/kubeconform" },
  kwok: { version: "v0.7.0", path: "sigs.k8s.io/kwok/cmd/kwok" },
};
const adapter = { name: "prometheus-adapter", version: "v0.12.0", module: "sigs.k8s.io/prometheus-adapter" };
export const controlPlane = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/** null: they can be compiled here; else why not. */
export function noGo() {
  return spawnSync("go", ["version"]).status === 0 ? null : "it is compiled with Go, and there is no go on PATH";
}

/** The path of one program, compiled at first use. Throws a SetupError if it cannot be. */
export function kubernetesProgram(name) {
  const make = controlPlane.includes(name)
    ? compiledProgram
    : name === adapter.name
      ? adapterProgram
      : installedProgram;
  if (make === installedProgram && !installed[name])
    throw new SetupError(`There is no program ${name} here; there are ${programs().join(", ")}.`);
  return withLock(join(cacheFolder(), name), () => make(name));
}

const programs = () => [...Object.keys(installed), adapter.name, ...controlPlane];

async function installedProgram(name) {
  const { version, path } = installed[name];
  const folder = await part(`${name}-${version}-${process.arch}`, async (temporary) => {
    await command("go", ["install", "-ldflags=-s -w", `${path}@${version}`], {
      env: { ...process.env, GOBIN: temporary },
    });
  });
  return join(folder, name);
}

/** By a module of ours: `go install` asks which versions there are, which a proxy need not tell. */
async function adapterProgram() {
  const { name, version, module } = adapter;
  const folder = await part(`${name}-${version}-${process.arch}`, async (temporary) => {
    const text = `module anchorage.test/adapter\n\ngo 1.24\n\nrequire ${module} ${version}\n`;
    await writeFile(join(temporary, "go.mod"), text);
    const build = ["build", "-mod=mod", "-ldflags=-s -w", "-o", name, `${module}/cmd/adapter`];
    await command("go", build, { cwd: temporary });
  });
  return join(folder, name);
}

/** Kubernetes' own go.mod points into its source tree, so `go install` refuses it: a module of ours names the published parts. */
async function compiledProgram(name) {
  const folder = await part(`${name}-${kubernetesVersion}-${process.arch}`, async (temporary) => {
    const go = (...args) => command("go", args, { cwd: temporary });
    await writeFile(join(temporary, "go.mod"), await goMod());
    const version = "k8s.io/component-base/version";
    const [major, minor] = kubernetesVersion.slice(1).split(".");
    const stamp = `-s -w -X ${version}.gitVersion=${kubernetesVersion} -X ${version}.gitMajor=${major} -X ${version}.gitMinor=${minor}`;
    await go("build", "-mod=mod", "-ldflags", stamp, "-o", `${name}.built`, `k8s.io/kubernetes/cmd/${name}`);
    await rename(join(temporary, `${name}.built`), join(temporary, name));
  });
  return join(folder, name);
}

async function goMod() {
  const module = await kubernetesModule();
  const original = await readFile(join(module, "go.mod"), "utf8");
  const staging = [...original.matchAll(/^\t(\S+) => \.\/staging\//gm)].map((match) => match[1]);
  const goLine = /^go .*$/m.exec(original)[0];
  const replaced = staging.map((name) => `\t${name} => ${name} ${stagingVersion}`);
  return [
    "module anchorage.test/kubernetes\n",
    `${goLine}\n`,
    `require k8s.io/kubernetes ${kubernetesVersion}\n`,
    `replace (\n${replaced.join("\n")}\n)\n`,
  ].join("\n");
}

/** The folder of the unpacked module k8s.io/kubernetes: its schemas lie in api/openapi-spec/swagger.json. */
export async function kubernetesModule() {
  return moduleFolder(`k8s.io/kubernetes@${kubernetesVersion}`);
}

/** The folder of any Go module, downloaded at first use. */
export async function moduleFolder(module) {
  return JSON.parse(await command("go", ["mod", "download", "-json", module])).Dir;
}

if (startedAs(import.meta.url)) {
  const names = process.argv.length > 2 ? process.argv.slice(2) : programs();
  const missing = noGo();
  if (missing !== null) fail(new SetupError(missing));
  (async () => {
    for (const name of names) console.log(await kubernetesProgram(name));
  })().catch(fail);
}
