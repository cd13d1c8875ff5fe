/**
 * node scripts/manifests.mjs FOLDER [--json]: renders a kustomization of deploy/kubernetes, or one of your own on top of it, and says
 * what in it cannot work, before it is applied: settings that the processes would refuse, more actors than a round has work
 * for, too little time to drain, images that it renames in vain. Names the secrets and images that the cluster needs. Needs kubectl and `npm run build`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { startedAs } from "./setup/places.mjs";
import { fail, SetupError } from "./setup/setupError.mjs";

/** The rendered text of a kustomization. Throws a SetupError with kustomize's words. */
function renderText(folder) {
  const { status, stdout, stderr } = spawnSync("kubectl", ["kustomize", folder], { encoding: "utf8" });
  if (status === 0) return stdout;
  throw new SetupError(`kubectl kustomize ${folder} failed: ${(stderr ?? "no kubectl on PATH").trim()}`);
}

/** Its objects. */
const render = (folder) => parseAllDocuments(renderText(folder)).map((document) => document.toJS());

/** The pods' templates, with the name and kind of what makes the pods. */
function workloads(objects) {
  return objects
    .filter(({ kind }) => kind === "Deployment" || kind === "StatefulSet")
    .map((object) => {
      const { template } = object.spec;
      return {
        name: object.metadata.name,
        kind: object.kind,
        object,
        pod: template.spec,
        labels: template.metadata.labels,
      };
    });
}

/** The two files of settings in a rendered kustomization, read as the processes read them. Throws their OperatorErrors. */
async function settingsOf(objects) {
  const [{ deployConfig }, { newRunConfig }] = await Promise.all([
    import("../dist/cli/deployFlags.js"),
    import("../dist/cli/runConfigFlags.js"),
  ]);
  const data = objects.find(({ kind, data }) => kind === "ConfigMap" && data?.["deploy.yaml"] !== undefined)?.data;
  if (!data) throw new SetupError("No ConfigMap has a deploy.yaml: build on deploy/kubernetes/base.");
  const folder = mkdtempSync(join(tmpdir(), "anchorage-manifests-"));
  const own = Object.keys(process.env).filter((name) => name.startsWith("ANCHORAGE_"));
  for (const name of own) delete process.env[name]; // this machine's settings are not the cluster's
  try {
    for (const name of ["deploy.yaml", "run.yaml"]) writeFileSync(join(folder, name), data[name] ?? "");
    const deploy = deployConfig({ deploy: join(folder, "deploy.yaml") });
    return { deploy, run: newRunConfig({ config: join(folder, "run.yaml") }), name: data.name };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What is wrong with rendered objects, a sentence each; none: nothing that can be seen from here. */
async function problems(objects) {
  const { runShape } = await import("../dist/shared/runConfig.js");
  let settings;
  try {
    settings = await settingsOf(objects);
  } catch (error) {
    return [error.message];
  }
  const { deploy, run, name } = settings;
  const found = [];
  if (!/^[\w-][\w.-]*$/.test(name ?? ""))
    found.push(
      `name=${name} is no folder's name: the run is kept in a folder of that name on the coordinator's volume.`,
    );
  found.push(...(await plainTextProblems(deploy)));
  const { envBatches } = runShape(run);
  const useful = Math.ceil(envBatches / (deploy.actorWorkers ?? 1));
  if (deploy.actorWorkers === null)
    found.push(
      "actorWorkers is not set: a container sees all cores of its node. Set it to the CPUs that an actor requests.",
    );
  const [field, actors] = mostActors(objects);
  if (actors > useful)
    found.push(
      `${field}=${actors} is more actors than have work: a round of run.yaml has ${envBatches} EnvBatches, and an actor ${deploy.actorWorkers} workers. Set it to ${useful}, or envBatchSize lower.`,
    );
  found.push(...scrapeProblems(objects));
  for (const { name: role, pod } of workloads(objects)) found.push(...podProblems(role, pod, deploy));
  return found;
}

/** How many actors there may be, and the field that says so. */
function mostActors(objects) {
  const scaler = objects.find(({ kind }) => kind === "HorizontalPodAutoscaler");
  if (scaler) return ["maxReplicas", scaler.spec.maxReplicas];
  const actors = workloads(objects).find(({ name }) => name === "actor");
  return ["replicas", actors?.object.spec.replicas ?? 1];
}

/** A ServiceMonitor names namespaces as text, which kustomize leaves as it is. */
function scrapeProblems(objects) {
  const namespace = workloads(objects)[0]?.object.metadata.namespace;
  return objects
    .filter(({ kind, spec }) => kind === "ServiceMonitor" && !spec.namespaceSelector.matchNames.includes(namespace))
    .map(
      ({ spec }) =>
        `namespace=${namespace} is not among matchNames=${spec.namespaceSelector.matchNames} of the ServiceMonitor, so Prometheus finds nothing. Leave the namespace as it is, or patch that, too.`,
    );
}

/** What each process would refuse at its start. */
async function plainTextProblems(deploy) {
  if (deploy.tls !== null) return [];
  const { Transport } = await import("../dist/shared/transport.js");
  const transport = Transport.of(deploy, "coordinator");
  return ["coordinator", "coordinatorListen", "learnerListen", "nats"].flatMap((field) => {
    try {
      if (deploy[field] !== null) transport.check(field, deploy[field]);
      return [];
    } catch (error) {
      return [error.message];
    }
  });
}

/** Beyond drainSeconds: for closing what is open. */
const closingSeconds = 10;

function podProblems(role, pod, deploy) {
  const grace = pod.terminationGracePeriodSeconds ?? 30;
  const needed = deploy.drainSeconds + closingSeconds;
  const found = [];
  if (role !== "nats" && role !== "coordinator" && grace < needed)
    found.push(
      `terminationGracePeriodSeconds=${grace} of ${role} is less than drainSeconds=${deploy.drainSeconds} and ${closingSeconds} s to close: set it to ${needed} or more.`,
    );
  const mountsTls = pod.volumes?.some(({ secret }) => secret?.secretName.startsWith("anchorage-tls-"));
  if (deploy.tls !== null && !mountsTls) found.push(`tls=${deploy.tls} is set, and ${role} mounts no secret there.`);
  return found;
}

const kustomizationFiles = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/** kustomize passes over `images` of a name that no pod has: the pods keep the image that they had. */
function imageProblems(folder, objects) {
  const file = kustomizationFiles.map((name) => join(folder, name)).find(existsSync);
  const { images: entries = [] } = parse(readFileSync(file, "utf8")) ?? {};
  const { images } = needs(objects);
  const isUsed = ({ name, newName = name }) => images.some((image) => /^($|[:@])/.test(image.replace(newName, "")));
  return entries
    .filter((entry) => !isUsed(entry))
    .map(
      ({ name }) => `images: ${name} is no image of these pods, which have ${images.join(", ")}. Give its name there.`,
    );
}

/** What must be there before the kustomization is applied. */
function needs(objects) {
  const pods = workloads(objects).map(({ pod }) => pod);
  return {
    secrets: pods.flatMap(({ volumes = [] }) => volumes.flatMap(({ secret }) => secret?.secretName ?? [])),
    images: pods.flatMap(({ containers }) => containers.map(({ image }) => image)),
  };
}

async function main(given, ...flags) {
  if (given === undefined)
    throw new SetupError("Which kustomization? Give its folder: deploy/kubernetes/overlays/dev.");
  const folder = resolve(given); // kubectl takes ../ by the shell's name of this folder, which may be a link's
  if (!kustomizationFiles.some((name) => existsSync(join(folder, name))))
    throw new SetupError(`${folder} holds no kustomization.yaml. Give the folder that has one.`);
  const objects = render(folder);
  const found = [...imageProblems(folder, objects), ...(await problems(objects))];
  if (flags.includes("--json")) {
    const settings = found.length === 0 ? await settingsOf(objects) : null;
    return void console.log(JSON.stringify({ problems: found, objects, settings, ...needs(objects) }));
  }
  for (const problem of found) console.error(`${given}: ${problem}`);
  const { secrets, images } = needs(objects);
  console.log(`secrets: ${secrets.join(", ") || "none"}\nimages: ${images.join(", ")}`);
  if (found.length > 0) process.exitCode = 1;
}

if (startedAs(import.meta.url)) main(...process.argv.slice(2)).catch(fail);
