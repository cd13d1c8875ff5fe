import { spawnSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { execa } from "execa";
import { onTestFinished } from "vitest";
import { projectRoot } from "../../shared/nativeParts.ts";

export const kubernetesFolder = join(projectRoot, "deploy", "kubernetes");
export const kustomizations = ["base", "overlays/dev", "overlays/gpu", "overlays/spot"] as const;

/** null: kustomizations can be rendered here; else why not. */
export function noKubectl(): string | null {
  const found = spawnSync("kubectl", ["kustomize", "--help"]);
  return found.status === 0 ? null : "there is no kubectl on PATH";
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
