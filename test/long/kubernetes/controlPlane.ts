import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { onTestFinished } from "vitest";
import { certificates } from "../../../cli/certificates.ts";
import { freePort } from "../../../cli/natsServer.ts";
import { projectRoot } from "../../../shared/nativeParts.ts";
import { until } from "../../chaos/until.ts";
import { noKubectl } from "../../deploy/rendered.ts";

/** null: a control plane can be had here; else what is missing. */
export function noControlPlane(): string | null {
  for (const [program, flag, source] of [
    ["go", "version", "https://go.dev/doc/install"],
    ["etcd", "--version", "apt-get install etcd-server"],
  ] as const)
    if (spawnSync(program, [flag]).status !== 0) return `a Kubernetes control plane needs ${program}: ${source}`;
  return noKubectl();
}

export interface Cluster {
  /** Runs kubectl against this cluster and gives what it prints. Rejects with its words. */
  readonly kubectl: (args: readonly string[], input?: string) => Promise<string>;
  /** The same, as JSON. */
  readonly get: (...args: readonly string[]) => Promise<{ readonly items: readonly KubernetesItem[] }>;
  readonly folder: string;
  readonly kubeconfig: string;
  /** Starts one more program beside it; it ends with the cluster. */
  readonly start: Start;
}

// biome-ignore lint/suspicious/noExplicitAny: objects of any kind of Kubernetes
export type KubernetesItem = Record<string, any>;

export const programOf = async (name: string): Promise<string> => {
  const script = join(projectRoot, "scripts", "kubernetes.mjs");
  return (await execa(process.execPath, [script, name])).stdout.trim();
};

/** Where a control plane runs: on this machine's loopback interface, or on a host of its own. */
export interface ControlPlaneHost {
  readonly address: string;
  /** What runs a program there, to be put before its command line. */
  readonly enter: readonly string[];
}

/**
 * A control plane, and kwok in place of kubelets: it says of pods that are scheduled that they run. Ends with the test.
 */
export async function startCluster(nodes: number): Promise<Cluster> {
  const cluster = await startControlPlane({ address: "127.0.0.1", enter: [] });
  cluster.start("kwok", await programOf("kwok"), {
    kubeconfig: cluster.kubeconfig,
    "manage-all-nodes": "true",
    "node-lease-duration-seconds": 120,
    "server-address": `127.0.0.1:${await freePort()}`,
  });
  await addNodes(cluster, nodes);
  return cluster;
}

/** A real kube-apiserver, controller-manager and scheduler on Debian's etcd. Ends with the test. */
export async function startControlPlane(host: ControlPlaneHost): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), "anchorage-cluster-"));
  const children: ChildProcess[] = [];
  onTestFinished(async () => {
    await Promise.all(children.reverse().map(ended));
    rmSync(folder, { recursive: true, force: true });
  });
  const start: Start = (name, program, flags, environment = {}) => {
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    const [first, ...rest] = [...host.enter, program, ...args] as [string, ...string[]];
    const child = spawn(first, rest, {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: folder,
      env: { ...process.env, ...environment },
    });
    const log = createWriteStream(join(folder, `${name}.log`));
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    children.push(child);
  };
  const etcd = await startEtcd(folder, start);
  const { server, kubeconfig } = await startApiserver(folder, host.address, etcd, start);
  const kubectl = async (args: readonly string[], input?: string): Promise<string> =>
    (await execa("kubectl", ["--kubeconfig", kubeconfig, ...args], input === undefined ? {} : { input })).stdout;
  await until(`the apiserver at ${server} is ready`, async () => {
    const { stdout } = await execa("kubectl", ["--kubeconfig", kubeconfig, "get", "--raw", "/readyz"], {
      reject: false,
    });
    return stdout === "ok";
  });
  start("controller-manager", await programOf("kube-controller-manager"), {
    kubeconfig,
    "service-account-private-key-file": join(folder, "sa.key"),
    "root-ca-file": join(folder, "certificates", "apiserver.crt"), // signed by itself
    "leader-elect": "false",
    "secure-port": 0,
    "node-monitor-grace-period": "1h", // on a busy machine kwok may be late with a node's sign of life
  });
  start("scheduler", await programOf("kube-scheduler"), { kubeconfig, "leader-elect": "false", "secure-port": 0 });
  return {
    kubectl,
    get: async (...args) => JSON.parse(await kubectl(["get", ...args, "-o", "json"])),
    folder,
    kubeconfig,
    start,
  };
}

type Start = (
  name: string,
  program: string,
  flags: Readonly<Record<string, string | number>>,
  environment?: Readonly<Record<string, string>>,
) => void;

async function startEtcd(folder: string, start: Start): Promise<string> {
  const [clients, peers] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  start("etcd", "etcd", {
    "data-dir": join(folder, "etcd"),
    "listen-client-urls": clients,
    "advertise-client-urls": clients,
    "listen-peer-urls": peers,
    "initial-advertise-peer-urls": peers,
    "initial-cluster": `default=${peers}`,
  });
  return clients;
}

async function startApiserver(folder: string, address: string, etcd: string, start: Start) {
  const port = await freePort();
  const token = randomBytes(16).toString("hex");
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  writeFileSync(join(folder, "sa.key"), privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  writeFileSync(join(folder, "sa.pub"), publicKey.export({ type: "spki", format: "pem" }));
  writeFileSync(join(folder, "tokens.csv"), `${token},admin,admin,system:masters\n`, { mode: 0o600 });
  const proxy = await frontProxy(folder);
  start("apiserver", await programOf("kube-apiserver"), {
    ...proxy,
    "etcd-servers": etcd,
    "bind-address": address,
    "secure-port": port,
    "cert-dir": join(folder, "certificates"),
    "kubelet-preferred-address-types": "InternalIP",
    "service-account-issuer": "https://kubernetes.default.svc",
    "service-account-key-file": join(folder, "sa.pub"),
    "service-account-signing-key-file": join(folder, "sa.key"),
    "service-cluster-ip-range": "10.96.0.0/16",
    "token-auth-file": join(folder, "tokens.csv"),
    "authorization-mode": "RBAC",
    // needs an etcd of 3.4.25 or newer, and Debian's is older: each watch of kwok's would end in an error, ever more seconds apart
    "feature-gates": "WatchList=false",
  });
  const server = `https://${address}:${port}`;
  const kubeconfig = join(folder, "kubeconfig");
  const named = { cluster: "simulated", user: "admin" };
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: named.cluster, cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: named.user, user: { token } }],
    contexts: [{ name: "simulated", context: named }],
    "current-context": "simulated",
  };
  writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 }); // JSON is YAML
  return { server, kubeconfig };
}

/** With what the apiserver shows those that serve APIs for it (the metrics') who asks. */
async function frontProxy(folder: string): Promise<Readonly<Record<string, string>>> {
  const certs = join(folder, "front-proxy");
  await certificates(certs, { host: [], days: 2 });
  const of = (file: string): string => join(certs, "operator", file);
  return {
    "requestheader-client-ca-file": of("ca.crt"),
    "requestheader-allowed-names": "operator",
    "requestheader-username-headers": "X-Remote-User",
    "requestheader-group-headers": "X-Remote-Group",
    "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    "proxy-client-cert-file": of("tls.crt"),
    "proxy-client-key-file": of("tls.key"),
  };
}

/** Files with the CustomResourceDefinitions of ServiceMonitor and PrometheusRule. */
export async function operatorDefinitions(): Promise<string[]> {
  const print =
    'import("./scripts/kubernetesSchemas.mjs").then((it) => it.operatorFiles()).then((files) => console.log(JSON.stringify(files)))';
  return JSON.parse((await execa(process.execPath, ["-e", print], { cwd: projectRoot })).stdout) as string[];
}

/** `spec`: where it lies, and for whom. */
export const volume = (name: string, spec: object): object => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name: `volume-${name}` },
  spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "20Gi" }, ...spec },
});

/** Nodes of 32 CPUs in two zones, and volumes for whoever claims one. */
async function addNodes({ kubectl, get }: Cluster, count: number): Promise<void> {
  const resources = { cpu: "32", memory: "128Gi", pods: "110" };
  const nodes = Array.from({ length: count }, (_, i) => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: `node-${i}`,
      labels: { "kubernetes.io/hostname": `node-${i}`, "topology.kubernetes.io/zone": `zone-${i % 2}` },
      annotations: { "kwok.x-k8s.io/node": "fake" },
    },
    status: { allocatable: resources, capacity: resources },
  }));
  const volumes = ["a", "b"].map((name) => volume(name, { hostPath: { path: `/volumes/${name}` } }));
  const items = [...nodes, ...volumes];
  await kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  await until("every node is ready", async () => (await get("nodes")).items.every(isReady), 120_000);
}

/** Of a node or a pod. */
export const isReady = ({ status }: KubernetesItem): boolean =>
  ((status?.conditions ?? []) as { type: string; status: string }[]).some(
    (condition) => condition.type === "Ready" && condition.status === "True",
  );

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
