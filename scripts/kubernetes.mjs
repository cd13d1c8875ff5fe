/**
 * node scripts/kubernetes.mjs [NAME ...]: compiles what the tests of deploy/kubernetes need into the cache folder and prints
 * the paths: kubeconform (a minute), and kwok, prometheus-adapter, metrics-server, coredns, kube-network-policies (a few minutes each) and
 * kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and kube-proxy (10 to 20 minutes for the first on two
 * cores, 4 GB of Go's build cache). All come from the Go module proxy, whose checksum database vouches for them, or a sum here.
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
/** Compiled by a module of ours: `go install` asks which versions there are, which a proxy need not tell. */
const required = {
  "prometheus-adapter": {
    module: "sigs.k8s.io/prometheus-adapter",
    version: "v0.12.0",
    path: "sigs.k8s.io/prometheus-adapter/cmd/adapter",
  },
  "metrics-server": {
    module: "sigs.k8s.io/metrics-server",
    version: "v0.9.0",
    path: "sigs.k8s.io/metrics-server/cmd/metrics-server",
  },
  coredns: { module: "github.com/coredns/coredns", version: "v1.14.7", path: "github.com/coredns/coredns" },
  "kube-network-policies": {
    module: "sigs.k8s.io/kube-network-policies",
    version: "v0.8.0",
    path: "sigs.k8s.io/kube-network-policies/cmd",
    sums: [
      // the checksum database does not have these two
      "sigs.k8s.io/kube-network-policies v0.8.0 h1:dzecRNzdmg+VmHEQWTIjxnCgf412J+8CKHqbKgCiWkk=",
      "sigs.k8s.io/kube-network-policies v0.8.0/go.mod h1:QNAmb/exAiL032oNq0/QhfYl5H+jEFFDF0qVXpIOkeI=",
      "sigs.k8s.io/network-policy-api v0.1.6-0.20250401132235-45061d10895e h1:b5Vm5aa0I37gToQmFhQ+gQMZVsPsxSiJzxZWtSCs99w=",
      "sigs.k8s.io/network-policy-api v0.1.6-0.20250401132235-45061d10895e/go.mod h1:8J+z3UB9HgeqbmYprl6OKIobEDv27A3KRHPcteJ61rw=",
    ],
  },
};
const ofKubernetes = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"];

/** null: they can be compiled here; else why not. */
export function noGo() {
  return spawnSync("go", ["version"]).status === 0 ? null : "it is compiled with Go, and there is no go on PATH";
}

/** The path of one program, compiled at first use. Throws a SetupError if it cannot be. */
export function kubernetesProgram(name) {
  const make = ofKubernetes.includes(name)
    ? compiledProgram
    : Object.hasOwn(required, name)
      ? requiredProgram
      : installedProgram;
  if (make === installedProgram && !installed[name])
    throw new SetupError(`There is no program ${name} here; there are ${programs().join(", ")}.`);
  return withLock(join(cacheFolder(), name), () => make(name));
}

const programs = () => [...Object.keys(installed), ...Object.keys(required), ...ofKubernetes];

async function installedProgram(name) {
  const { version, path } = installed[name];
  const folder = await part(`${name}-${version}-${process.arch}`, async (temporary) => {
    await command("go", ["install", "-ldflags=-s -w", `${path}@${version}`], {
      env: { ...process.env, GOBIN: temporary },
    });
  });
  return join(folder, name);
}

async function requiredProgram(name) {
  const { module, version, path, sums = [] } = required[name];
  const folder = await part(`${name}-${version}-${process.arch}`, async (temporary) => {
    const text = `module anchorage.test/${name}\n\ngo 1.24\n\nrequire ${module} ${version}\n`;
    await writeFile(join(temporary, "go.mod"), text);
    await writeFile(join(temporary, "go.sum"), sums.map((sum) => `${sum}\n`).join(""));
    const build = ["build", "-mod=mod", "-ldflags=-s -w", "-o", name, path];
    await command("go", build, { cwd: temporary, env: { ...process.env, CGO_ENABLED: "0" } }); // some run in an empty image
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
