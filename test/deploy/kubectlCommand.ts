import { existsSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../shared/nativeParts.ts";
import type { KubernetesObject } from "./rendered.ts";

interface Cluster {
  readonly objects: readonly KubernetesObject[];
  readonly deploy: Readonly<Record<string, unknown>>;
  readonly runName: string;
}

const kinds: Readonly<Record<string, string>> = {
  deployment: "Deployment",
  statefulset: "StatefulSet",
  service: "Service",
  hpa: "HorizontalPodAutoscaler",
};

/** What a kubectl command in the docs names that the rendered objects do not have; "": all is there. */
export function namesWhatIsThere(command: readonly string[], cluster: Cluster): string {
  const { objects } = cluster;
  const [verb, ...rest] = command;
  const namespace = flag(rest, "-n");
  const words = plain(rest);
  const absent = (kind: string, name: string, where = namespace): string =>
    objectOf(objects, kind, name, where) === undefined ? `no ${kind} ${name} in ${where}` : "";
  switch (verb) {
    case "apply":
      if (flag(rest, "-k") === "../cluster" || flag(rest, "-f") === "-") return "";
      return existsSync(join(projectRoot, flag(rest, "-f")!)) ? "" : "no such file";
    case "create":
      return words[0] === "secret" ? "" : `this test does not know kubectl create ${words[0]}`; // secrets have their own
    case "rollout":
      if (words[1]!.includes("/")) return absent(...kindAndName(words[1]!));
      return objects.some(({ kind }) => kind === kinds[words[1]!]) ? "" : `no ${words[1]}`; // all of them
    case "scale":
    case "patch":
      if (scaledByItself(objects) === (verb === "scale")) return ""; // each is for where the other is not
      return absent(kinds[words[0]!] ?? words[0]!, words[1]!);
    case "port-forward":
      return absent(...kindAndName(words[0]!)) || closed(cluster, words[0]!, Number(words[1]));
    case "exec":
      return absent(...kindAndName(`pod/${words[0]}`)) || notKept(cluster, words[0]!, words.at(-1)!);
    case "cp": {
      const [, where, pod, path] = /^([^/]+)\/([^:]+):(.+)$/.exec(words[0]!)!;
      return absent(...kindAndName(`pod/${pod}`), where) || notKept(cluster, pod!, path!);
    }
    default:
      return `this test does not know kubectl ${verb}`;
  }
}

const flag = (words: readonly string[], name: string): string | undefined =>
  words.includes(name) ? words[words.indexOf(name) + 1] : undefined;

/** Without flags and their values. */
const plain = (words: readonly string[]): string[] =>
  words.filter((word, i) => !word.startsWith("-") && !["-n", "-p", "-k", "-f"].includes(words[i - 1] ?? ""));

/** Of "deployment/actor"; a pod is its StatefulSet's, by whose name it is known beforehand. */
function kindAndName(text: string): [string, string] {
  const [kind, name] = text.split("/") as [string, string];
  return kind === "pod" ? ["StatefulSet", name.replace(/-0$/, "")] : [kinds[kind] ?? kind, name];
}

const objectOf = (objects: readonly KubernetesObject[], kind: string, name: string, namespace: string | undefined) =>
  objects.find(
    (object) => object.kind === kind && object.metadata.name === name && object.metadata.namespace === namespace,
  );

const scaledByItself = (objects: readonly KubernetesObject[]): boolean =>
  objects.some(({ kind }) => kind === "HorizontalPodAutoscaler");

function closed({ objects, deploy }: Cluster, target: string, port: number): string {
  const [kind, name] = kindAndName(target);
  const { spec } = objects.find((object) => object.kind === kind && object.metadata.name === name)!;
  const open =
    kind === "Service"
      ? (spec.ports as { port: number }[]).map((each) => each.port)
      : [Number((deploy.pageListen as string).split(":").at(-1))]; // within the pod: on its loopback interface
  return open.includes(port) ? "" : `${target} has no port ${port}`;
}

/** Is a path on the pod's volume, in the folder of the run that the docs name? */
function notKept({ objects, runName }: Cluster, pod: string, path: string): string {
  const [kind, name] = kindAndName(`pod/${pod}`);
  const { spec } = objects.find((object) => object.kind === kind && object.metadata.name === name)!;
  const [container] = spec.template.spec.containers;
  const volume = spec.volumeClaimTemplates[0].metadata.name as string;
  const { mountPath } = (container.volumeMounts as { name: string; mountPath: string }[]).find(
    (each) => each.name === volume,
  )!;
  const folder = (container.args as string[]).find((arg) => arg.startsWith("--run-dir="))!.replace("--run-dir=", "");
  const runDir = folder.replace("$(RUN)", runName);
  if (!runDir.startsWith(`${mountPath}/`)) return `${runDir} is not on the volume at ${mountPath}`;
  return path.startsWith(`${runDir}/`) ? "" : `${path} is not in ${runDir}`;
}
