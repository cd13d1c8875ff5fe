import { expect, it } from "vitest";
import { committedDashboards } from "./dashboards.ts";

const dashboards = committedDashboards();

it("one for learning and one for the fleet, which can be narrowed to runs and roles", () => {
  expect(dashboards.map(({ uid }) => uid)).toEqual(["anchorage-fleet", "anchorage-learning"]);
  for (const { templating } of dashboards)
    expect(templating.list.map(({ name }) => name)).toEqual(["datasource", "run", "role"]);
});

it.each(dashboards.flatMap(({ uid, panels }) => panels.map((panel) => [`${uid}: ${panel.title}`, panel] as const)))(
  "%s says what it shows, in which unit, and names its series",
  (_, panel) => {
    if (panel.type === "row") return expect(panel.title).not.toBe("");
    expect(panel.description).toMatch(/^[A-Z0-9].{10,}\.$/s);
    expect(panel.fieldConfig?.defaults.unit).toBeTruthy();
    expect(panel.targets?.length).toBeGreaterThan(0);
    for (const { expr, legendFormat } of panel.targets!) {
      expect(expr).toContain('run=~"$run"');
      expect(legendFormat).toBeTruthy();
    }
    if (panel.type === "timeseries") expect(panel.options?.legend?.showLegend).toBe(true);
  },
);

it.each(dashboards.map((dashboard) => [dashboard.uid, dashboard] as const))(
  "%s: panels fill whole lines of 24 columns, overlap nowhere and have ids of their own",
  (_, { panels }) => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const ends = new Map<number, number>(); // y -> where the next panel of that line begins
    for (const { title, gridPos } of panels) {
      expect(gridPos.x, title).toBe(ends.get(gridPos.y) ?? 0);
      ends.set(gridPos.y, gridPos.x + gridPos.w);
    }
    expect([...ends.values()].filter((end) => end !== 24)).toEqual([]);
  },
);
