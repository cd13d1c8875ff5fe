import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { Registry } from "prom-client";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { parse } from "yaml";
import { natsSettings } from "../../cli/natsSettings.ts";
import { learnerMetrics } from "../../learner/metrics.ts";
import { nativeParts, projectRoot } from "../../shared/nativeParts.ts";
import { named } from "../chaos/skipReason.ts";
import { CertificateFolders } from "../shared/certificateFolders.ts";
import { allowedArrows } from "./arrows.ts";
import { committedDashboards } from "./dashboards.ts";
import {
  kubernetesFolder,
  kustomizations,
  noKubeconform,
  noKubectl,
  onceFor,
  overlayOn,
  rendered,
  workloads,
} from "./rendered.ts";

const missing = noKubectl();
const roles = ["actor", "coordinator", "learner", "nats"];
const of = onceFor(rendered);
/** Of all annotations of an object together (apimachinery, TotalAnnotationSizeLimitB). */
const mostAnnotationBytes = 256 * 1024;
const jsonOf = (text: string): Record<string, unknown> => JSON.parse(text.replace(/^#.*\n/gm, ""));

it("says what is missing where there is no kubectl, and how to get it", () => {
  vi.stubEnv("PATH", "/nowhere");
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(noKubectl()).toMatch(/^kubectl is missing: 1\.\d+ or newer, https:/);
  expect(noKubeconform()).toBe(noKubectl());
});

const scrapes = ["actor:9402", "coordinator:9400", "learner:9401"].map((port) => `prometheus -> ${port}`);

describe.skipIf(missing !== null).each(kustomizations)(named("deploy/kubernetes/%s", missing), (name) => {
  it("renders, and its settings are accepted by the processes' own parser", async () => {
    const { problems, settings } = await of(name);
    expect(problems).toEqual([]);
    expect(settings?.deploy.metricsHost).toBe("0.0.0.0");
  });

  it("has the four parts, whose pods may do nothing to their node or cluster", async () => {
    const { objects } = await of(name);
    const found = workloads(objects);
    expect(found.map((each) => each.name).sort()).toEqual(roles);
    expect(objects.filter(({ kind }) => /Role|Binding/.test(kind))).toEqual([]);
    for (const { name: role, pod, container } of found) {
      expect(pod.containers).toHaveLength(1);
      expect(pod).toMatchObject({ serviceAccountName: role, automountServiceAccountToken: false });
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
      expect(pod.securityContext.runAsUser).toBeGreaterThan(0);
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
      expect([pod.hostNetwork, pod.hostPID, pod.hostIPC]).toEqual([undefined, undefined, undefined]);
    }
  });

  it("bounds what each pod takes, and has it probed three ways on a port that it listens on", async () => {
    for (const { container } of workloads((await of(name)).objects)) {
      for (const bound of ["requests", "limits"]) expect(Object.keys(container.resources[bound])).toContain("memory");
      for (const bound of ["requests", "limits"]) expect(Object.keys(container.resources[bound])).toContain("cpu");
      const ports = (container.ports as { name: string; containerPort: number }[]).flatMap((port) =>
        Object.values(port),
      );
      for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"])
        expect(ports).toContain(container[probe].httpGet?.port ?? container[probe].grpc.port);
    }
  });

  it("listens where its settings and its Services say", async () => {
    const { objects, settings } = await of(name);
    const portOf = (role: string, port: string): number =>
      workloads(objects)
        .find((each) => each.name === role)!
        .container.ports.find((each: { name: string }) => each.name === port).containerPort;
    const { deploy } = settings!;
    expect(deploy).toMatchObject({
      coordinator: `coordinator:${portOf("coordinator", "grpc")}`,
      coordinatorListen: `0.0.0.0:${portOf("coordinator", "grpc")}`,
      learnerAdvertise: `learner:${portOf("learner", "grpc")}`,
      learnerListen: `0.0.0.0:${portOf("learner", "grpc")}`,
      nats: `nats:${portOf("nats", "nats")}`,
      coordinatorMetricsPort: portOf("coordinator", "metrics"),
      learnerMetricsPort: portOf("learner", "metrics"),
      actorMetricsPort: portOf("actor", "metrics"),
    });
    for (const service of objects.filter(({ kind }) => kind === "Service"))
      for (const { port, targetPort } of service.spec.ports)
        expect(portOf(service.metadata.name, targetPort)).toBe(port);
  });

  it("lets exactly the arrows of the design pass", async () => {
    const { objects } = await of(name);
    const names = ["dns", "node's dns", "node's dns by address", "cloud's dns"];
    const arrows = [
      "actor -> coordinator:7400",
      "actor -> learner:7401",
      "actor -> nats:4222",
      "learner -> coordinator:7400",
      "learner -> nats:4222",
      ...["actor", "learner"].flatMap((role) => names.map((dns) => `${role} -> ${dns}:53`)),
      ...(objects.some(({ kind }) => kind === "ServiceMonitor") ? scrapes : []),
    ];
    expect(allowedArrows(objects).sort()).toEqual(arrows.sort());
  });

  it("has actors evicted first, one learner at a time, and no part that blocks a drain", async () => {
    const { objects } = await of(name);
    const priority = (role: string): number => {
      const { pod } = workloads(objects).find((each) => each.name === role)!;
      return objects.find(({ kind, metadata }) => kind === "PriorityClass" && metadata.name === pod.priorityClassName)!
        .value;
    };
    for (const role of ["coordinator", "learner", "nats"]) expect(priority("actor")).toBeLessThan(priority(role));
    const learner = workloads(objects).find((each) => each.name === "learner")!.object;
    expect([learner.spec.replicas, learner.spec.strategy.type]).toEqual([1, "Recreate"]);
    const budgets = objects.filter(({ kind }) => kind === "PodDisruptionBudget");
    expect(budgets.map(({ metadata }) => metadata.name).sort()).toEqual(roles);
    for (const { spec } of budgets) expect([1, "25%"]).toContain(spec.maxUnavailable);
  });

  it("has no object that is too large for kubectl apply, which keeps a copy in an annotation", async () => {
    const { objects } = await of(name);
    const copies = objects.map((object) => Buffer.byteLength(JSON.stringify(object)));
    expect(Math.max(...copies)).toBeLessThan(mostAnnotationBytes);
  });

  it("says `insecure` where it has no certificates, and nowhere else", async () => {
    const { settings, secrets } = await of(name);
    const secured = { tls: "/etc/anchorage/tls", insecure: false };
    const open = { tls: null, insecure: true };
    expect(settings?.deploy).toMatchObject(name === "overlays/dev" ? open : secured);
    expect(secrets).toHaveLength(name === "overlays/dev" ? 0 : 4);
  });
});

describe("the Kubernetes manifests", () => {
  it("give NATS the settings that `anchorage certificates` writes", async () => {
    const { jetstream, http, ...own } = jsonOf(readFileSync(join(kubernetesFolder, "base", "nats.conf"), "utf8"));
    const { jetstream: local, ...written } = jsonOf(natsSettings());
    expect(own).toEqual(written);
    expect([http, local]).toEqual([8222, { store_dir: "jetstream" }]);
    expect(jetstream).toMatchObject({ store_dir: "/data" });
  });

  it.each(["base", "overlays/dev"])("give NATS settings that it reads: %s", async (name) => {
    const folder = await (await CertificateFolders.make()).of("nats"); // where the container runs
    const file = join(kubernetesFolder, name, "nats.conf");
    const { exitCode, stderr } = await execa(nativeParts().natsServer!, ["-t", "-c", file], {
      cwd: folder,
      reject: false,
    });
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining("is valid")]);
  });
});

describe.skipIf(missing !== null)(named("the rendered Kubernetes manifests", missing), () => {
  it("scale actors by the learner's waiting, under the name that the adapter's rule gives a metric that there is", async () => {
    const { objects } = await of("overlays/spot");
    const scaler = objects.find(({ kind }) => kind === "HorizontalPodAutoscaler")!;
    const file = join(kubernetesFolder, "components", "prometheus", "prometheusAdapterRule.yaml");
    const [rule] = parse(readFileSync(file, "utf8")).externalRules;
    expect(scaler.spec.metrics).toHaveLength(1);
    expect(scaler.spec.metrics[0].external.metric.name).toBe(rule.name.as);
    const series = /^\w+/.exec(rule.seriesQuery)![0];
    expect(series).toMatch(new RegExp(rule.name.matches));
    const registry = new Registry();
    learnerMetrics(registry);
    expect(registry.getMetricsAsArray().map((metric) => metric.name)).toContain(series);
  });

  it("carry the recording and alert rules that promtool tests", async () => {
    const { objects } = await of("overlays/spot");
    const rules = readFileSync(join(projectRoot, "deploy", "observability", "rules.yml"), "utf8");
    // else: node scripts/generatePrometheusRule.mjs
    expect(objects.find(({ kind }) => kind === "PrometheusRule")?.spec.groups).toEqual(parse(rules).groups);
  });

  it.each(["overlays/gpu", "overlays/spot"])(
    "carry the dashboards where Grafana's sidecar finds them, and replaces them: %s",
    async (name) => {
      const { objects } = await of(name);
      const found = objects.filter(({ metadata }) => metadata.labels?.grafana_dashboard === "1");
      expect(found.map(({ kind, metadata }) => [kind, metadata.name])).toEqual([
        ["ConfigMap", "dashboard-fleet"],
        ["ConfigMap", "dashboard-learning"],
      ]);
      const texts = found.flatMap(({ data }) => Object.values(data) as string[]);
      expect(texts.map((text) => JSON.parse(text))).toEqual(committedDashboards()); // by name: fleet, learning
    },
  );

  it("put the learner of the gpu overlay on a GPU, with the image that has CUDA", async () => {
    const { objects, images, settings } = await of("overlays/gpu");
    const { container } = workloads(objects).find(({ name }) => name === "learner")!;
    expect(container.resources.limits["nvidia.com/gpu"]).toBe("1");
    expect(images).toContain("anchorage/learner-gpu:0.1.0");
    expect(settings?.deploy.device).toBe("gpu");
    // the kubelet puts a pod's own variables after the device plugin's, and the last one counts
    const names = container.env.map((each: { name: string }) => each.name);
    expect(names).not.toContain("NVIDIA_VISIBLE_DEVICES");
    expect(container.env).toContainEqual({ name: "LD_LIBRARY_PATH", value: "/usr/local/nvidia/lib64" }); // GKE's driver
  });
});

const merged = (file: string): string =>
  `configMapGenerator: [{ name: anchorage, behavior: merge, files: [${file}] }]\n`;

const inOverlays = named("scripts/manifests.mjs names what is wrong with a user's own overlay:", missing);
describe.skipIf(missing !== null)(inOverlays, () => {
  it.each([
    ["a setting out of range", "actorWorkers: 0", /actorWorkers: .*>0 \(got 0\)/],
    ["a setting that does not exist", "actorWorker: 1", /actorWorker=1 is no setting \(Did you mean "actorWorkers"/],
    ["a port out of range", "coordinator: coordinator:70000", /coordinator: .*1 to 65535.*got "coordinator:70000"/],
    [
      "plain text without a word about it",
      "coordinatorListen: 0.0.0.0:7400\nactorWorkers: 1",
      /coordinatorListen=0\.0\.0\.0:7400 is not on this machine.*no certificates/,
    ],
    [
      "more time to drain than a pod has",
      "actorWorkers: 1\ndrainSeconds: 60",
      /terminationGracePeriodSeconds=40 of actor.*70/,
    ],
  ])("%s", async (_, deploy, problem) => {
    const folder = overlayOn("base", { "kustomization.yaml": merged("deploy.yaml"), "deploy.yaml": deploy });
    const { problems } = await rendered(folder);
    expect(problems.join("\n")).toMatch(problem);
  });

  it("more actors than a round has work for", async () => {
    const run = "env: HalfCheetah-v4\nenvBatchSize: 32\n"; // 128 / 32 = 4 EnvBatches
    const folder = overlayOn("base", { "kustomization.yaml": merged("run.yaml"), "run.yaml": run });
    expect((await rendered(folder)).problems).toEqual([
      "maxReplicas=16 is more actors than have work: a round of run.yaml has 4 EnvBatches, and an actor 1 workers. Set it to 4, or envBatchSize lower.",
    ]);
    const byHand = "replicas: [{ name: actor, count: 9 }]\n"; // dev has 8 EnvBatches and no autoscaler
    expect((await rendered(overlayOn("overlays/dev", { "kustomization.yaml": byHand }))).problems).toEqual([
      expect.stringMatching(/^replicas=9 is more actors than have work: .* 8 EnvBatches.* Set it to 8,/),
    ]);
  });

  it("a namespace in which the ServiceMonitor does not look", async () => {
    const folder = overlayOn("overlays/spot", {});
    const file = join(folder, "kustomization.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace("namespace: anchorage", "namespace: elsewhere"));
    expect((await rendered(folder)).problems).toEqual([
      expect.stringMatching(/^namespace=elsewhere is not among matchNames=anchorage of the ServiceMonitor/),
    ]);
  });

  it("an image under a name that no pod has, which kustomize passes over", async () => {
    const images = ["actor", "learner"].map((role) => ({
      name: `anchorage/${role}`,
      newName: `here/${role}`,
      newTag: "2",
    }));
    const yaml = `images: ${JSON.stringify(images)}\n`;
    const { problems } = await rendered(overlayOn("overlays/gpu", { "kustomization.yaml": yaml }));
    expect(problems).toEqual([
      expect.stringMatching(/^images: anchorage\/learner is no image of these pods, .*anchorage\/learner-gpu:0\.1\.0/),
    ]);
    expect((await rendered(overlayOn("base", { "kustomization.yaml": yaml }))).problems).toEqual([]);
  });

  it("a folder without a kustomization", async () => {
    const script = join(projectRoot, "scripts", "manifests.mjs");
    const { stderr, exitCode } = await execa(process.execPath, [script, join(projectRoot, "docs")], { reject: false });
    expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/docs holds no kustomization\.yaml\./)]);
  });

  it("certificates that a pod does not mount", async () => {
    const folder = overlayOn("overlays/dev", {
      "kustomization.yaml": merged("deploy.yaml"),
      "deploy.yaml": "tls: /etc/anchorage/tls\nactorWorkers: 1\n",
    });
    expect((await rendered(folder)).problems.join("\n")).toMatch(/tls=\S+ is set, and actor mounts no secret there/);
  });
});
