import { type KubernetesObject, workloads } from "./rendered.ts";

type Labels = Readonly<Record<string, string>>;

interface Pod {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly ports: readonly number[]; // that its container listens on
  readonly address?: string; // of a pod in its node's network, which plugins do not know by its labels
}

/** Whom our pods meet in every cluster; labels are those of Kubernetes' own names and of the Prometheus operator. */
const others: readonly Pod[] = [
  { name: "dns", namespace: "kube-system", labels: { "k8s-app": "kube-dns" }, ports: [53, 8181] },
  { name: "node's dns", namespace: "kube-system", labels: { "k8s-app": "node-local-dns" }, ports: [53, 9253] },
  { name: "node's dns by address", namespace: "", labels: {}, ports: [53, 9253], address: "169.254.20.10" },
  { name: "cloud's dns", namespace: "", labels: {}, ports: [53, 80], address: "169.254.169.254" },
  { name: "prometheus", namespace: "monitoring", labels: { "app.kubernetes.io/name": "prometheus" }, ports: [9090] },
  ...["kube-system", "monitoring", "default"].map((namespace) => ({
    name: `stranger in ${namespace}`,
    namespace,
    labels: {},
    ports: [53, 7400],
  })),
];

function selects(selector: KubernetesObject, labels: Labels): boolean {
  const exact = Object.entries((selector.matchLabels ?? {}) as Labels).every(([key, value]) => labels[key] === value);
  const expressions = (selector.matchExpressions ?? []) as { key: string; operator: string; values: string[] }[];
  return exact && expressions.every(({ key, values }) => values.includes(labels[key] ?? "")); // operator In, all of ours
}

/** Does a policy of namespace `own` mean this pod by its peer? */
function isPeer(peer: KubernetesObject, pod: Pod, own: string): boolean {
  if (peer.ipBlock !== undefined) return peer.ipBlock.cidr === `${pod.address}/32`; // of one address, all of ours
  if (pod.address !== undefined) return false;
  const named = { "kubernetes.io/metadata.name": pod.namespace };
  const near = peer.namespaceSelector === undefined ? pod.namespace === own : selects(peer.namespaceSelector, named);
  return near && (peer.podSelector === undefined || selects(peer.podSelector, pod.labels));
}

interface Side {
  readonly restricted: boolean; // by at least one policy: then only what one of them names passes
  readonly rules: readonly KubernetesObject[];
}

function side(policies: readonly KubernetesObject[], pod: Pod, type: "Ingress" | "Egress"): Side {
  const chosen = policies.filter(
    ({ spec, metadata }) =>
      metadata.namespace === pod.namespace && spec.policyTypes.includes(type) && selects(spec.podSelector, pod.labels),
  );
  const rules = chosen.flatMap(({ spec }) => (spec[type.toLowerCase()] ?? []) as KubernetesObject[]);
  return { restricted: chosen.length > 0, rules };
}

const passes = ({ restricted, rules }: Side, peers: "from" | "to", other: Pod, own: string, port: number): boolean =>
  !restricted ||
  rules.some(
    (rule) =>
      (rule[peers] === undefined || (rule[peers] as KubernetesObject[]).some((peer) => isPeer(peer, other, own))) &&
      (rule.ports === undefined || (rule.ports as KubernetesObject[]).some((each) => each.port === port)),
  );

/**
 * "actor -> learner:7401" for every pair of pods, of which one is ours, and every port that one listens on, where both ends'
 * policies let it pass, by the rules of NetworkPolicy: none: everything passes; several add up.
 */
export function allowedArrows(objects: readonly KubernetesObject[]): string[] {
  const policies = objects.filter(({ kind }) => kind === "NetworkPolicy");
  const ours = workloads(objects).map(({ name, object, container }) => ({
    name,
    namespace: object.metadata.namespace as string,
    labels: object.spec.template.metadata.labels as Labels,
    ports: (container.ports as { containerPort: number }[]).map((each) => each.containerPort),
  }));
  const all: readonly Pod[] = [...ours, ...others];
  return all.flatMap((from) =>
    all
      .filter((to) => !(others.includes(from) && others.includes(to)))
      .flatMap((to) =>
        to.ports
          .filter((port) => passes(side(policies, from, "Egress"), "to", to, from.namespace, port))
          .filter((port) => passes(side(policies, to, "Ingress"), "from", from, to.namespace, port))
          .map((port) => `${from.name} -> ${to.name}:${port}`),
      ),
  );
}
