import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { init } from "echarts";

/**
 * `node dist/bench/learningCurve.js --output FILE.svg --title TEXT NAME=RUNDIR ...`: mean raw return of the last 100
 * episodes by agent step, one line a run, from each run's metrics.jsonl.
 */
const { values, positionals } = parseArgs({
  options: { output: { type: "string" }, title: { type: "string", default: "" } },
  allowPositionals: true,
});
if (values.output === undefined || positionals.length === 0)
  throw new Error("give --output FILE.svg and one or more NAME=RUNDIR");

const chart = init(null, null, { renderer: "svg", ssr: true, width: 860, height: 420 });
chart.setOption({
  animation: false,
  backgroundColor: "#ffffff",
  title: { text: values.title, left: "center", textStyle: { fontSize: 16 } },
  legend: { bottom: 4 },
  grid: { left: 70, right: 30, top: 50, bottom: 80 },
  xAxis: { type: "value", name: "agent steps", nameLocation: "middle", nameGap: 28 },
  yAxis: { type: "value", name: "mean return, last 100 episodes", nameLocation: "middle", nameGap: 50 },
  series: positionals.map((given) => {
    const [name, folder] = given.split("=");
    if (name === undefined || folder === undefined) throw new Error(`${given} is not NAME=RUNDIR`);
    return { name, type: "line", showSymbol: false, data: curve(folder) };
  }),
});
writeFileSync(values.output, chart.renderToSVGString());
chart.dispose();

/** [agent steps, mean return] of every update that had one. */
function curve(folder: string): [number, number][] {
  const lines = readFileSync(join(folder, "metrics.jsonl"), "utf8").trim().split("\n");
  return lines
    .map((line) => JSON.parse(line) as { agent_steps: number; mean_return?: number | null })
    .filter((record) => typeof record.mean_return === "number")
    .map((record) => [record.agent_steps, record.mean_return!]);
}
