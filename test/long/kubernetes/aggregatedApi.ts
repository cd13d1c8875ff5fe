import type { Cluster } from "./controlPlane.ts";

/** Has the apiserver hand a group's requests (v1beta1) over to a program that listens beside it. */
export async function aggregate(
  { kubectl }: Cluster,
  { name, group, port }: { readonly name: string; readonly group: string; readonly port: number },
): Promise<void> {
  const metadata = { name, namespace: "default" };
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: { type: "ExternalName", externalName: "localhost" }, // the apiserver's host, not a pod
  };
  const api = {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name: `v1beta1.${group}` },
    spec: {
      group,
      version: "v1beta1",
      groupPriorityMinimum: 100,
      versionPriority: 100,
      insecureSkipTLSVerify: true,
      service: { ...metadata, port },
    },
  };
  const items = [service, api];
  await kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
}
