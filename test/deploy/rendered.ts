import { spawnSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { execa } from "execa";
import { onTestFinished } from "vitest";
import { parseAllDocuments } from "yaml";
import { projectRoot } from "../../shared/nativeParts.ts";

export const kubernetesFolder = join(projectRoot, "deploy", "kubernetes");
export const kustomizations = ["base", "overlays/dev", "overlays/gpu", "overlays/spot"] as const;

const kubectlSource = "1.31 or newer, https://kubernetes.io/docs/tasks/tools";

/** null: kustomizations can be rendered here; else what is missing and how to get it. */
export function noKubectl(): string | null {
  const { status, stdout } = spawnSync("kubectl", ["version", "--client", "-o", "json"], { encoding: "utf8" });
  if (status !== 0) return `kubectl is missing: ${kubectlSource}`;
  const { kustomizeVersion = "none" } = JSON.parse(stdout) as { kustomizeVersion?: string };
  const [major = 0, minor = 0] = kustomizeVersion.replace(/^v/, "").split(".").map(Number);
  // from 5.2.1 on a patch's file may hold several
  return major > 5 || (major === 5 && minor >= 2)
    ? null
    : `kubectl has kustomize ${kustomizeVersion}, too old: ${kubectlSource}`;
}

/** null: kubeconform, which checks objects against schemas, can be had here; else what is missing and how to get it. */
export function noKubeconform(): string | null {
  const withoutGo = "kubeconform is missing, and compiled with Go: https://go.dev/doc/install";
  return noKubectl() ?? (spawnSync("go", ["version"]).status === 0 ? null : withoutGo);
}

// biome-ignore lint/suspicious/noExplicitAny: objects of any kind of Kubernetes, whose shape kubeconform checks
export type KubernetesObject = Record<string, any>;

export interface Rendered {
  readonly problems: readonly string[];
  readonly objects: readonly KubernetesObject[];
  readonly settings: { readonly deploy: Record<string, unknown>; readonly run: Record<string, unknown> } | null;
  readonly secrets: readonly string[];
  readonly images: readonly string[];
}

/** What scripts/manifests.mjs says about a kustomization's folder. */
export async function rendered(folder: string): Promise<Rendered> {
  const script = join(projectRoot, "scripts", "manifests.mjs");
  const { stdout } = await execa(process.execPath, [script, folder, "--json"]);
  return JSON.parse(stdout) as Rendered;
}

/** Its objects alone, which takes a fraction of the time. */
export async function renderedObjects(folder: string): Promise<KubernetesObject[]> {
  const { stdout } = await execa("kubectl", ["kustomize", folder]);
  return parseAllDocuments(stdout).map((document) => document.toJS() as KubernetesObject);
}

/** A kustomization on top of one of ours, as a user would write it. Removed with the test. */
export function overlayOn(name: string, files: Readonly<Record<string, string>>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "anchorage-overlay-")));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { "kustomization.yaml": more = "", ...others } = files;
  const kustomization = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: anchorage
resources: ["${relative(folder, join(kubernetesFolder, name))}"]
${more}`;
  for (const [file, text] of Object.entries({ ...others, "kustomization.yaml": kustomization }))
    writeFileSync(join(folder, file), text);
  return folder;
}

export interface Workload {
  readonly name: string;
  readonly object: KubernetesObject;
  readonly pod: KubernetesObject;
  readonly container: KubernetesObject; // each of our pods has one
}

/** What makes pods: nats, coordinator, learner and actor. */
export function workloads(objects: readonly KubernetesObject[]): Workload[] {
  return objects
    .filter(({ kind }) => kind === "Deployment" || kind === "StatefulSet")
    .map((object) => {
      const pod = object.spec.template.spec as KubernetesObject;
      return { name: object.metadata.name as string, object, pod, container: pod.containers[0] as KubernetesObject };
    });
}

/** What `make` makes of one of ours, made once in a file. */
export function onceFor<Made>(make: (folder: string) => Promise<Made>): (name: string) => Promise<Made> {
  const all = new Map<string, Promise<Made>>();
  return (name) => {
    const known = all.get(name) ?? make(join(kubernetesFolder, name));
    all.set(name, known);
    return known;
  };
}
