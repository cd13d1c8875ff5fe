import { describe, expect, it } from "vitest";
import { named } from "../chaos/skipReason.ts";
import { type KubernetesObject, kustomizations, noKubectl, onceFor, renderedObjects, workloads } from "./rendered.ts";

const missing = noKubectl();
const of = onceFor(renderedObjects);

type Labels = Readonly<Record<string, string>>;
const selects = (selector: Labels, labels: Labels): boolean =>
  Object.keys(selector).length > 0 && Object.entries(selector).every(([key, value]) => labels[key] === value);

/** The roles whose pods have all of these labels. */
const chosen = (objects: readonly KubernetesObject[], selector: Labels): string[] =>
  workloads(objects)
    .filter(({ object }) => selects(selector, object.spec.template.metadata.labels))
    .map(({ name }) => name);

const ofKind = (objects: readonly KubernetesObject[], kind: string): KubernetesObject[] =>
  objects.filter((object) => object.kind === kind);

/** A selector that selects nothing is no error to a cluster: nothing is scraped, spread, scaled or kept. */
describe.skipIf(missing !== null).each(kustomizations)(
  named("what selects, in deploy/kubernetes/%s:", missing),
  (name) => {
    it("each Service and budget means the pods of its name, and each workload its own", async () => {
      const objects = await of(name);
      for (const { metadata, spec } of ofKind(objects, "Service"))
        expect(chosen(objects, spec.selector), `Service ${metadata.name}`).toEqual([metadata.name]);
      for (const { metadata, spec } of ofKind(objects, "PodDisruptionBudget"))
        expect(chosen(objects, spec.selector.matchLabels), `budget ${metadata.name}`).toEqual([metadata.name]);
      for (const { name: role, object } of workloads(objects))
        expect(chosen(objects, object.spec.selector.matchLabels), role).toEqual([role]);
    });

    it("actors are spread among each other, and the autoscaler means their Deployment", async () => {
      const objects = await of(name);
      const { object, pod } = workloads(objects).find((each) => each.name === "actor")!;
      const keys = pod.topologySpreadConstraints.map((each: KubernetesObject) => each.topologyKey);
      expect(keys).toEqual(["topology.kubernetes.io/zone", "kubernetes.io/hostname"]);
      for (const { labelSelector } of pod.topologySpreadConstraints)
        expect(chosen(objects, labelSelector.matchLabels)).toEqual(["actor"]);
      const { apiVersion, kind } = object;
      for (const { spec } of ofKind(objects, "HorizontalPodAutoscaler"))
        expect(spec.scaleTargetRef).toEqual({ apiVersion, kind, name: "actor" });
    });

    it("who is ready only once others have reached it, or is scraped while it is not, has an address before", async () => {
      const services = ofKind(await of(name), "Service");
      const early = services.filter(({ spec }) => spec.publishNotReadyAddresses).map(({ metadata }) => metadata.name);
      expect(early.sort()).toEqual(["actor", "learner"]);
    });

    it("pods are asked for what is served there, and may write their volumes", async () => {
      for (const { name: role, pod, container } of workloads(await of(name))) {
        expect(pod.securityContext.fsGroup, role).toBe(pod.securityContext.runAsUser);
        const asked = (probe: string): string => container[probe].httpGet?.path ?? "gRPC";
        if (role === "nats") continue; // test/deploy/images
        expect(["/readyz", "gRPC"], role).toContain(asked("readinessProbe"));
        for (const probe of ["startupProbe", "livenessProbe"])
          expect(["/healthz", "gRPC"], role).toContain(asked(probe));
      }
    });

    it("the ServiceMonitor finds the metrics of every process, and Prometheus may read them there", async () => {
      const objects = await of(name);
      for (const { spec } of ofKind(objects, "ServiceMonitor")) {
        const services = ofKind(objects, "Service").filter(
          ({ metadata }) =>
            spec.namespaceSelector.matchNames.includes(metadata.namespace) &&
            selects(spec.selector.matchLabels, metadata.labels),
        );
        const [{ port: wanted }] = spec.endpoints;
        const found = services.flatMap(({ metadata, spec: { ports } }) =>
          (ports as { name: string; port: number }[])
            .filter((port) => port.name === wanted)
            .map((port) => `${metadata.name}:${port.port}`),
        );
        expect(found.sort()).toEqual(["actor:9402", "coordinator:9400", "learner:9401"]);
      }
      expect(ofKind(objects, "ServiceMonitor")).toHaveLength(/gpu|spot/.test(name) ? 1 : 0);
    });
  },
);

it.skipIf(missing !== null)(named("the gpu overlay's learner may go where others may not", missing), async () => {
  const { pod } = workloads(await of("overlays/gpu")).find(({ name }) => name === "learner")!;
  expect(pod.tolerations).toContainEqual({ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" });
});

it.skipIf(missing !== null)(
  named("dev's learner is asked by HTTP whether it lives: it serves no gRPC after its run", missing),
  async () => {
    const { container } = workloads(await of("overlays/dev")).find(({ name }) => name === "learner")!;
    for (const probe of ["startupProbe", "livenessProbe"]) expect(Object.keys(container[probe])).toContain("httpGet");
    expect(container.readinessProbe).toMatchObject({ grpc: { port: 7401 } });
  },
);
