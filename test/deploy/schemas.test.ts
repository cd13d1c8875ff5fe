import { join } from "node:path";
import { execa } from "execa";
import { beforeAll, describe, expect, it } from "vitest";
import { projectRoot } from "../../shared/nativeParts.ts";
import { named } from "../chaos/skipReason.ts";
import { kubernetesFolder, kustomizations, noKubeconform } from "./rendered.ts";

const missing = noKubeconform();

interface Report {
  readonly resources: readonly { readonly kind: string; readonly msg: string }[];
  readonly summary: Readonly<Record<"valid" | "invalid" | "errors" | "skipped", number>>;
}

let kubeconform = { program: "", location: "" };
const text = async (folder: string): Promise<string> => (await execa("kubectl", ["kustomize", folder])).stdout;

async function checked(manifests: string): Promise<Report> {
  const args = ["-strict", "-summary", "-output", "json", "-schema-location", kubeconform.location];
  const { stdout } = await execa(kubeconform.program, args, { input: manifests, reject: false });
  return JSON.parse(stdout) as Report;
}

describe.skipIf(missing !== null)(named("schemas of Kubernetes and the Prometheus operator", missing), () => {
  beforeAll(async () => {
    const { stdout } = await execa(process.execPath, [join(projectRoot, "scripts", "kubernetesSchemas.mjs")]);
    kubeconform = JSON.parse(stdout);
  }, 600_000); // compiled and downloaded once

  it.each(kustomizations)("know every field of %s", async (name) => {
    const { resources, summary } = await checked(await text(join(kubernetesFolder, name)));
    expect(resources).toEqual([]); // only the wrong ones are listed
    expect(summary).toMatchObject({ invalid: 0, errors: 0, skipped: 0 });
    expect(summary.valid).toBeGreaterThan(20);
  });

  it.each([
    ["a field's name", /terminationGracePeriodSeconds/g, "terminationGraceperiodSeconds", "Deployment"],
    ["a value's type", /maxReplicas: 16/, 'maxReplicas: "many"', "HorizontalPodAutoscaler"],
    [
      "a field in the wrong place",
      /automountServiceAccountToken: false\nkind: ServiceAccount/,
      "securityContext: {}\nkind: ServiceAccount",
      "ServiceAccount",
    ],
    ["a required field that is missing", /^ {2}scaleTargetRef:\n(?: {4}.*\n)+/m, "", "HorizontalPodAutoscaler"],
    ["a field of a ServiceMonitor", /interval: 15s/, "intervall: 15s", "ServiceMonitor"],
    ["a kind that there is not", /kind: PriorityClass/, "kind: PriorityKlass", "PriorityKlass"],
  ])("find a typo in %s", async (_, right, wrong, kind) => {
    const manifests = await text(join(kubernetesFolder, "overlays/spot"));
    const planted = manifests.replace(right, wrong);
    expect(planted).not.toBe(manifests);
    const { summary, resources } = await checked(planted);
    expect(summary.invalid + summary.errors).toBeGreaterThan(0);
    expect(resources.map((each) => each.kind)).toContain(kind);
  });
});
