/**
 * node scripts/generatePrometheusRule.mjs: wraps deploy/observability/rules.yml, which promtool tests, for the Prometheus
 * operator, into deploy/kubernetes/components/prometheus/prometheusRule.yaml. A test compares both.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { projectRoot } from "./setup/places.mjs";

const { groups } = parse(readFileSync(join(projectRoot, "deploy", "observability", "rules.yml"), "utf8"));
const rule = {
  apiVersion: "monitoring.coreos.com/v1",
  kind: "PrometheusRule",
  metadata: { name: "anchorage", labels: { "app.kubernetes.io/name": "anchorage" } },
  spec: { groups },
};
const file = join(projectRoot, "deploy", "kubernetes", "components", "prometheus", "prometheusRule.yaml");
const note = "# Made from deploy/observability/rules.yml by scripts/generatePrometheusRule.mjs: change it there.\n";
writeFileSync(file, `${note}${stringify(rule, { lineWidth: 0 })}`);
