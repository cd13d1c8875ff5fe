import {
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { datasource } from "./panels.ts";

/** A line of panels under a title. */
export interface Row {
  readonly title: string;
  readonly panels: readonly { id(id: number): unknown; build(): Panel }[];
}

const tag = "anchorage";

/** A dashboard with what all of ours share: the data source, the variables `run` and `role`, links to the others. */
export function frame(uid: string, title: string, description: string, rows: readonly Row[]): DashboardBuilder {
  const board = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags([tag])
    .editable()
    .refresh("10s")
    .time({ from: "now-1h", to: "now" })
    .timezone("browser")
    .tooltip(DashboardCursorSync.Crosshair)
    .link(
      new DashboardLinkBuilder("Anchorage")
        .type(DashboardLinkType.Dashboards)
        .tags([tag])
        .includeVars(true)
        .keepTime(true),
    )
    .withVariable(new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"))
    .withVariable(labelVariable("run", "Run").query('label_values(process_start_time_seconds{run!=""}, run)'))
    .withVariable(labelVariable("role", "Role").query('label_values(process_start_time_seconds{run=~"$run"}, role)'));
  let id = 0;
  for (const { title, panels } of rows) {
    board.withRow(new RowBuilder(title).id(++id));
    for (const panel of panels) {
      panel.id(++id);
      board.withPanel(panel);
    }
  }
  return board;
}

function labelVariable(name: string, label: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(datasource)
    .refresh(VariableRefresh.OnTimeRangeChanged) // runs of other days are not offered
    .sort(VariableSort.AlphabeticalDesc)
    .multi(true)
    .includeAll(true)
    .allValue(".+")
    .current({ text: "All", value: "$__all" });
}
