import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { onTestFinished } from "vitest";
import { freePort } from "../../../cli/natsServer.ts";
import { until } from "../../chaos/until.ts";
import { noContainers, podmanEnvironment } from "../containers/images.ts";
import { aggregate } from "./aggregatedApi.ts";
import { type Cluster, isReady, noControlPlane, programOf, startControlPlane, volume } from "./controlPlane.ts";
import { NodeHost } from "./nodeHost.ts";

const plugins = "/usr/lib/cni";
const sources: Readonly<Record<string, string>> = {
  containerd: "apt-get install containerd",
  nft: "apt-get install nftables",
  conntrack: "apt-get install conntrack",
  "g++": "apt-get install g++",
};

/** null: a node can be run here; else what is missing. */
export function noRealNode(): string | null {
  for (const [program, source] of Object.entries(sources))
    if (spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0)
      return `a node of Kubernetes needs ${program}: ${source}`;
  if (!existsSync(join(plugins, "ptp"))) return `a node needs ${plugins}: apt-get install containernetworking-plugins`;
  if (!existsSync("/sys/fs/cgroup/memory")) return "a node is set up here for control groups of version 1";
  return noControlPlane() ?? noContainers();
}

const podNetwork = "10.244.0.0/24";
const dnsAddress = "10.96.0.10";

/**
 * A control plane and one real node on a host of its own: containerd, kubelet, kube-proxy, metrics-server, CoreDNS, and
 * kube-network-policies, which enforces NetworkPolicies. `images`: of podman's store, and the names that they get on the node.
 * Ends with the test.
 */
export async function startRealNode(images: Readonly<Record<string, readonly string[]>>): Promise<Cluster> {
  const host = await NodeHost.make();
  let cluster: Cluster;
  try {
    cluster = await startControlPlane(host);
  } finally {
    onTestFinished(() => host.remove()); // before what the control plane's end removes: its files
  }
  const containers = await startContainerd(cluster, host);
  const { pause, dns } = await ownImages(cluster);
  for (const [image, names] of Object.entries({ ...images, [pause]: [], [dns]: [] }))
    await containers.add(image, names);
  await startKubelet(cluster, host);
  await startNetwork(cluster, host);
  await startMeter(cluster);
  await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(list([...volumes(cluster), ...nameService(dns)])));
  await until("the node is ready", async () => {
    const { items } = await cluster.get("nodes");
    return items.length === 1 && items.every(isReady);
  });
  await cluster.kubectl(["rollout", "status", "deployment/coredns", "-n", "kube-system", "--timeout=240s"]);
  return cluster;
}

/** Settings of a program, as JSON, which is YAML, too. Gives their path. */
function settings({ folder }: Cluster, name: string, content: object): string {
  writeFileSync(join(folder, name), JSON.stringify(content));
  return join(folder, name);
}

const socketOf = ({ folder }: Cluster): string => join(folder, "containerd.sock");

async function startContainerd(cluster: Cluster, host: NodeHost) {
  const { folder } = cluster;
  const network = join(folder, "network");
  mkdirSync(network);
  // pods are routed, not bridged: what one sends to another passes the host's filters
  const ipam = { type: "host-local", ranges: [[{ subnet: podNetwork }]], routes: [{ dst: "0.0.0.0/0" }] };
  const plugin = { cniVersion: "1.0.0", name: "pods", plugins: [{ type: "ptp", ipam }] };
  settings(cluster, join("network", "10-pods.conflist"), plugin);
  const config = join(folder, "containerd.toml");
  writeFileSync(
    config,
    `version = 2
root = "${join(folder, "containerd")}"
state = "/run/containerd"
[grpc]
  address = "${socketOf(cluster)}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true
  cni = { bin_dir = "${plugins}", conf_dir = "${network}" }
`,
  );
  cluster.start("containerd", "containerd", { config });
  const store = ["ctr", "--address", socketOf(cluster), "--namespace", "k8s.io", "images"];
  const [ctr, ...words] = [...host.enter, ...store] as [string, ...string[]];
  await until(
    "containerd answers",
    async () => (await execa(ctr, [...words, "list"], { reject: false })).exitCode === 0,
  );
  return {
    /** From podman's store, under its name there and others. */
    add: async (image: string, names: readonly string[]): Promise<void> => {
      const saved = join(folder, "image.tar");
      await execa("podman", ["save", "--output", saved, image], { env: podmanEnvironment() });
      await execa(ctr, [...words, "import", saved]);
      rmSync(saved);
      if (names.length > 0) await execa(ctr, [...words, "tag", image, ...names]);
    },
  };
}

const pauseImage = "localhost/anchorage/pause:test";

/** Images of one static program each: what holds a pod's namespaces, and CoreDNS. */
async function ownImages({ folder }: Cluster) {
  const build = async (name: string, make: (path: string) => Promise<unknown>): Promise<string> => {
    const context = join(folder, `image-${name}`);
    mkdirSync(context);
    await make(join(context, name));
    writeFileSync(join(context, "Dockerfile"), `FROM scratch\nCOPY ${name} /${name}\nENTRYPOINT ["/${name}"]\n`);
    const image = `localhost/anchorage/${name}:test`;
    await execa("podman", ["build", "--format", "docker", "--tag", image, context], { env: podmanEnvironment() });
    return image;
  };
  const program = "#include <unistd.h>\nint main() { for (;;) pause(); }\n";
  const compile = (path: string) => execa("g++", ["-static", "-Os", "-x", "c++", "-", "-o", path], { input: program });
  const pause = await build("pause", compile);
  const dns = await build("coredns", async (path) => copyFileSync(await programOf("coredns"), path));
  return { pause, dns };
}

async function startKubelet(cluster: Cluster, host: NodeHost): Promise<void> {
  const { folder, kubeconfig, start } = cluster;
  const plenty = { "nodefs.available": "1Mi", "imagefs.available": "1Mi", "memory.available": "50Mi" };
  const config = settings(cluster, "kubelet.yaml", {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    containerRuntimeEndpoint: `unix://${socketOf(cluster)}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: host.cgroup,
    failCgroupV1: false,
    failSwapOn: false,
    clusterDNS: [dnsAddress],
    clusterDomain: "cluster.local",
    resolvConf: "",
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } }, // its host is the test's own
    authorization: { mode: "AlwaysAllow" },
    address: host.address,
    evictionHard: plenty, // the disk is the machine's, and others use it, too
    imageGCHighThresholdPercent: 100,
  });
  start("kubelet", await programOf("kubelet"), {
    config,
    kubeconfig,
    "root-dir": join(folder, "kubelet"),
    "cert-dir": join(folder, "kubelet-certificates"),
    "hostname-override": "node-0",
    "node-ip": host.address,
  });
}

/** Services, and policies: both see a connection's first packet. */
async function startNetwork(cluster: Cluster, host: NodeHost): Promise<void> {
  const { folder, kubeconfig, start } = cluster;
  const config = settings(cluster, "kube-proxy.yaml", {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "nftables",
    hostnameOverride: "node-0",
    clientConnection: { kubeconfig },
    clusterCIDR: podNetwork,
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" }, // the machine's
  });
  start("kube-proxy", await programOf("kube-proxy"), { config });

  // it knows only how a pod finds the apiserver
  const { clusters, users } = JSON.parse(readFileSync(kubeconfig, "utf8"));
  const account = "/run/secrets/kubernetes.io/serviceaccount";
  await host.run("mkdir", "-p", account);
  await host.run("cp", join(folder, "certificates", "apiserver.crt"), join(account, "ca.crt"));
  await host.run("sh", "-c", `printf ${users[0].user.token} > ${account}/token`);
  const { hostname, port } = new URL(clusters[0].cluster.server);
  const flags = { "disable-nri": "true", "hostname-override": "node-0", "nfqueue-id": 100, v: 2 };
  const environment = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
  start("policies", await programOf("kube-network-policies"), flags, environment);
  // its own rules need nftables' queue, which not every kernel has; this one is iptables'
  const queue = ["-m", "conntrack", "--ctstate", "NEW", "-j", "NFQUEUE", "--queue-num", "100"];
  await host.run("iptables", "-A", "FORWARD", ...queue);
}

/** What pods use: `kubectl top` and HorizontalPodAutoscalers by CPU ask it. */
async function startMeter(cluster: Cluster): Promise<void> {
  const { folder, kubeconfig, start } = cluster;
  const port = await freePort();
  start("metrics-server", await programOf("metrics-server"), {
    kubeconfig,
    "authentication-kubeconfig": kubeconfig,
    "authorization-kubeconfig": kubeconfig,
    "bind-address": "127.0.0.1",
    "secure-port": port,
    "cert-dir": join(folder, "metrics-server"),
    "kubelet-insecure-tls": "true",
    "kubelet-preferred-address-types": "InternalIP",
    "metric-resolution": "15s",
  });
  await aggregate(cluster, { name: "metrics-server", group: "metrics.k8s.io", port });
}

const list = (items: readonly object[]): object => ({ apiVersion: "v1", kind: "List", items });

/** For whoever claims one: on this disk, and given to the pod's group as a real one is. */
function volumes({ folder }: Cluster): object[] {
  const here = { key: "kubernetes.io/hostname", operator: "In", values: ["node-0"] };
  return ["a", "b"].map((name) => {
    const path = join(folder, `volume-${name}`);
    mkdirSync(path);
    const nodeAffinity = { required: { nodeSelectorTerms: [{ matchExpressions: [here] }] } };
    return volume(name, { local: { path }, nodeAffinity });
  });
}

/** CoreDNS as clusters have it: the labels, the address and the rights. */
function nameService(image: string): object[] {
  const namespace = "kube-system";
  const labels = { "k8s-app": "kube-dns" };
  const metadata = { name: "coredns", namespace };
  const group = "rbac.authorization.k8s.io";
  const Corefile = ".:53 {\n  errors\n  ready\n  kubernetes cluster.local\n  cache 5\n}\n";
  const container = {
    name: "coredns",
    image,
    args: ["-conf", "/etc/coredns/Corefile"],
    readinessProbe: { httpGet: { path: "/ready", port: 8181 }, periodSeconds: 1 },
    volumeMounts: [{ name: "config", mountPath: "/etc/coredns" }],
  };
  const pod = {
    serviceAccountName: "coredns",
    dnsPolicy: "Default",
    containers: [container],
    volumes: [{ name: "config", configMap: { name: "coredns" } }],
  };
  const rules = [
    { apiGroups: [""], resources: ["services", "pods", "namespaces"], verbs: ["list", "watch"] },
    { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] },
  ];
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    { apiVersion: `${group}/v1`, kind: "ClusterRole", metadata: { name: "coredns" }, rules },
    {
      apiVersion: `${group}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name: "coredns" },
      roleRef: { apiGroup: group, kind: "ClusterRole", name: "coredns" },
      subjects: [{ kind: "ServiceAccount", name: "coredns", namespace }],
    },
    { apiVersion: "v1", kind: "ConfigMap", metadata, data: { Corefile } },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod } },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "kube-dns", namespace },
      spec: {
        clusterIP: dnsAddress,
        selector: labels,
        ports: ["UDP", "TCP"].map((protocol) => ({ name: protocol.toLowerCase(), port: 53, protocol })),
      },
    },
  ];
}
