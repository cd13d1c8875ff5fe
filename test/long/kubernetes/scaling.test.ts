import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { freePort } from "../../../cli/natsServer.ts";
import { pacedCartPole } from "../../chaos/configs.ts";
import { startFleet } from "../../chaos/fleets.ts";
import { named } from "../../chaos/skipReason.ts";
import { until } from "../../chaos/until.ts";
import { kubernetesFolder } from "../../deploy/rendered.ts";
import { aggregate } from "./aggregatedApi.ts";
import { type Cluster, noControlPlane, operatorDefinitions, programOf, startCluster } from "./controlPlane.ts";

const program = "prometheus";
const noPrometheus = spawnSync(program, ["--version"]).error && `${program} is missing: apt-get install prometheus`;
const missing = noControlPlane() ?? noPrometheus ?? null;
const minutes = 60_000;

/** Of one of Kubernetes' quantities. */
const seconds = (quantity: string): number => Number.parseFloat(quantity) / (quantity.endsWith("m") ? 1000 : 1);

/** Scrapes a learner, with the label that a ServiceMonitor gives it in the cluster. Gives its address. */
async function startPrometheus({ folder, start }: Cluster, target: string): Promise<string> {
  const [at, data] = [`127.0.0.1:${await freePort()}`, join(folder, "prometheus")];
  mkdirSync(data);
  const targets = [{ targets: [target], labels: { namespace: "anchorage" } }];
  const jobs = [{ job_name: "learner", static_configs: targets }];
  const config = { global: { scrape_interval: "5s" }, scrape_configs: jobs };
  writeFileSync(join(data, "prometheus.yml"), JSON.stringify(config)); // JSON is YAML
  start("prometheus", program, {
    "config.file": join(data, "prometheus.yml"),
    "storage.tsdb.path": join(data, "tsdb"),
    "web.listen-address": at,
  });
  return `http://${at}`;
}

/** prometheus-adapter with the shipped rule, behind the apiserver as an aggregated API. */
async function startAdapter(cluster: Cluster, prometheus: string): Promise<void> {
  const { folder, kubeconfig, start } = cluster;
  const port = await freePort();
  start("prometheus-adapter", await programOf("prometheus-adapter"), {
    "lister-kubeconfig": kubeconfig,
    "authentication-kubeconfig": kubeconfig,
    "authorization-kubeconfig": kubeconfig,
    "bind-address": "127.0.0.1",
    "secure-port": port,
    "cert-dir": join(folder, "adapter"),
    "prometheus-url": prometheus,
    "metrics-relist-interval": "10s",
    config: join(kubernetesFolder, "components", "prometheus", "prometheusAdapterRule.yaml"),
  });
  await aggregate(cluster, { name: "prometheus-adapter", group: "external.metrics.k8s.io", port });
}

it.skipIf(missing !== null)(
  named("a learner that waits gets more actors: Prometheus, prometheus-adapter's rule, the autoscaler", missing),
  async () => {
    // one actor of a slow environment, so that the learner does nothing but wait
    const fleet = await startFleet({ config: pacedCartPole(100_000), actors: 1, stepMs: 20 });
    await fleet.update(2);
    const learner = (await fleet.status()).learner!;

    const cluster = await startCluster(2);
    const { kubectl, get } = cluster;
    for (const file of await operatorDefinitions()) await kubectl(["apply", "--server-side", "-f", file]);
    await startAdapter(cluster, await startPrometheus(cluster, `127.0.0.1:${learner.metricsPort}`));
    await kubectl(["apply", "-k", join(kubernetesFolder, "overlays", "spot")]);

    // the words of docs/deploy.md
    const path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/anchorage/anchorage_learner_waiting";
    const waiting = async (): Promise<number> => {
      const said = await kubectl(["get", "--raw", path]).catch(() => null); // not yet served, or without a sample
      const [item] = said === null ? [] : JSON.parse(said).items;
      return item?.metricName === "anchorage_learner_waiting" ? seconds(item.value) : 0;
    };
    await until("it says that the learner waits", async () => (await waiting()) > 0.5, 8 * minutes);
    expect(await waiting()).toBeLessThanOrEqual(1.05); // seconds of waiting a second

    const autoscaler = async () => (await get("hpa", "-n", "anchorage")).items[0]!;
    await until("the autoscaler reads it", async () => {
      const { status } = await autoscaler();
      return seconds(status?.currentMetrics?.[0]?.external?.current?.value ?? "0") > 0.3;
    });
    await until("it adds actors", async () => (await autoscaler()).status.desiredReplicas > 2, 5 * minutes);
    await until("they are there", async () => {
      const [actors] = (await get("deployments", "-n", "anchorage", "-l", "app.kubernetes.io/component=actor")).items;
      return actors!.status.readyReplicas > 2;
    });
  },
);
