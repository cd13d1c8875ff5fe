/** node scripts/generateDashboards.mjs: writes Grafana's dashboards from deploy/observability/dashboards/*.ts. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { projectRoot, startedAs } from "./setup/places.mjs";

const observability = join(projectRoot, "deploy", "observability");
/** Where they are committed, and where Grafana's provisioning finds them. */
export const dashboardFolder = join(observability, "grafana", "dashboards");

/** File name -> its text. */
export async function dashboards() {
  const { createJiti } = await import("jiti"); // here, not above: npm test loads this file before it installs packages
  const jiti = createJiti(import.meta.url, { fsCache: false });
  const from = (name) => jiti.import(join(observability, "dashboards", name));
  const [{ learningDashboard }, { fleetDashboard }] = await Promise.all(["learning.ts", "fleet.ts"].map(from));
  return Object.fromEntries(
    [learningDashboard, fleetDashboard].map((make) => {
      const board = make().build();
      return [`${board.uid}.json`, `${JSON.stringify(board, null, 2)}\n`];
    }),
  );
}

if (startedAs(import.meta.url)) {
  await mkdir(dashboardFolder, { recursive: true });
  for (const [name, text] of Object.entries(await dashboards())) await writeFile(join(dashboardFolder, name), text);
}
