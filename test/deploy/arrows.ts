import type { KubernetesObject } from "./rendered.ts";

type Labels = Readonly<Record<string, string>>;

const component = (labels: Labels): string => labels["app.kubernetes.io/component"] ?? "?";

function selects(selector: KubernetesObject, labels: Labels): boolean {
  const exact = Object.entries((selector.matchLabels ?? {}) as Labels).every(([key, value]) => labels[key] === value);
  const expressions = (selector.matchExpressions ?? []) as { key: string; operator: string; values: string[] }[];
  return exact && expressions.every(({ key, values }) => values.includes(labels[key] ?? "")); // operator In, all of ours
}

/** Does a policy's peer mean a pod of the same namespace with these labels? */
const isPeer = (peer: KubernetesObject, labels: Labels): boolean =>
  peer.namespaceSelector === undefined && peer.podSelector !== undefined && selects(peer.podSelector, labels);

interface Side {
  readonly restricted: boolean; // by at least one policy: then only what one of them names passes
  readonly rules: readonly KubernetesObject[];
}

function side(policies: readonly KubernetesObject[], labels: Labels, type: "Ingress" | "Egress"): Side {
  const chosen = policies.filter(({ spec }) => spec.policyTypes.includes(type) && selects(spec.podSelector, labels));
  const rules = chosen.flatMap(({ spec }) => (spec[type.toLowerCase()] ?? []) as KubernetesObject[]);
  return { restricted: chosen.length > 0, rules };
}

const passes = ({ restricted, rules }: Side, peers: "from" | "to", other: Labels, port: number): boolean =>
  !restricted ||
  rules.some(
    (rule) =>
      (rule[peers] === undefined || (rule[peers] as KubernetesObject[]).some((peer) => isPeer(peer, other))) &&
      (rule.ports === undefined || (rule.ports as KubernetesObject[]).some((each) => each.port === port)),
  );

/**
 * "actor -> learner:7401" for every pair of pods and every port that any container listens on, where both ends' policies
 * let it pass, by the rules of NetworkPolicy: none: everything passes; several add up.
 */
export function allowedArrows(objects: readonly KubernetesObject[]): string[] {
  const policies = objects.filter(({ kind }) => kind === "NetworkPolicy");
  const pods = objects
    .filter(({ kind }) => kind === "Deployment" || kind === "StatefulSet")
    .map(({ spec }) => ({
      labels: spec.template.metadata.labels as Labels,
      ports: (spec.template.spec.containers[0].ports as { containerPort: number }[]).map((each) => each.containerPort),
    }));
  return pods.flatMap((from) =>
    pods.flatMap((to) =>
      to.ports
        .filter((port) => passes(side(policies, from.labels, "Egress"), "to", to.labels, port))
        .filter((port) => passes(side(policies, to.labels, "Ingress"), "from", from.labels, port))
        .map((port) => `${component(from.labels)} -> ${component(to.labels)}:${port}`),
    ),
  );
}
