import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Estimate, estimate, estimateOfPair, estimates } from "../cli/report/bootstrap.ts";
import { aggregateMean, mean } from "../cli/report/statistics.ts";
import { readSuite } from "../cli/suite/suiteFile.ts";
import { planSuite } from "../cli/suite/suitePlan.ts";
import { projectRoot } from "../shared/nativeParts.ts";
import { type Curve, readCurve } from "./curveFile.ts";
import { type Panel, panels } from "./panels.ts";
import { type Row, table } from "./results.ts";

/**
 * `node dist/bench/compareCurves.js SUITE [--picture FILE.svg] [--page FILE.md]`: of the curves in docs/results/SUITE
 * (bench/curves.ts makes them) a table in Markdown and a picture; the page has the table between two comments with SUITE in them. A run's score is its last mean return; its curve's mean stands beside it, since
 * it tells of the whole run. Intervals: 95 %, bootstrap over seeds, each side drawn by itself.
 */
const { values, positionals } = parseArgs({
  options: { picture: { type: "string" }, page: { type: "string" } },
  allowPositionals: true,
});
if (positionals.length !== 1) throw new Error("give one suite by its name or file, for example parity");
const suite = readSuite(positionals[0]!);
const results = join(projectRoot, "docs", "results", suite.name);
const settings = { resamples: 2000, seed: 1 };

interface Group {
  readonly environment: string;
  readonly label: string;
  readonly side: "ours" | "peer";
  readonly curves: readonly Curve[];
}

const plan = await planSuite(suite, async () => undefined);
const environments = [...new Set(plan.map(({ environment }) => environment))];
const labels = [...new Set(plan.map(({ label }) => label))];
const groups = environments.flatMap((environment) =>
  labels.flatMap((label) => (["ours", "peer"] as const).map((side) => groupOf(environment, label, side))),
);
const known = groups.filter(({ curves }) => curves.length > 0);
const withPeer = known.some(({ side }) => side === "peer");
const files = ["ours", "peer"].flatMap((side) =>
  existsSync(join(results, side)) ? readdirSync(join(results, side)) : [],
);
const progress = `${files.length} of ${plan.length * (withPeer ? 2 : 1)} curves are there.`;
const summary = `${table(known.filter(({ side }) => side === "ours").map(rowOf))}\n\n${progress}`;
process.stdout.write(`${summary}\n`);
if (values.picture !== undefined) writeFileSync(values.picture, panels(environments.map(panelOf)));
if (values.page !== undefined) writeFileSync(values.page, withSummary(readFileSync(values.page, "utf8")));

function withSummary(page: string): string {
  const [begin, end] = [`<!-- ${suite.name} -->`, `<!-- end of ${suite.name} -->`];
  const [before, rest, more] = page.split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined || more !== undefined) throw new Error(`${values.page} has no place ${begin} ... ${end}`);
  return `${before}${begin}\n\n${summary}\n\n${end}${after}`;
}

function groupOf(environment: string, label: string, side: "ours" | "peer"): Group {
  const files = plan
    .filter((run) => run.environment === environment && run.label === label)
    .map(({ id }) => join(results, side, `${id}.csv`))
    .filter((file) => existsSync(file));
  return { environment, label, side, curves: files.map(readCurve) };
}

function scoresOf({ curves }: Group): Float64Array {
  return Float64Array.from(curves, ({ meanReturn }) => meanReturn.at(-1)!);
}

function meansOf({ curves }: Group): Float64Array {
  return Float64Array.from(curves, ({ meanReturn }) => mean(meanReturn.filter((value) => !Number.isNaN(value))));
}

function rowOf(ours: Group): Row {
  const { environment, label } = ours;
  const row = { Environment: environment, Label: label };
  if (!withPeer)
    return {
      ...row,
      "each seed at the end": eachOf(ours),
      "mean at the end": meanOf(scoresOf(ours)),
      "mean of the whole run": meanOf(meansOf(ours)),
    };
  const peer = groupOf(environment, label, "peer");
  return {
    ...row,
    "ours, each seed at the end": eachOf(ours),
    "peer, each seed at the end": eachOf(peer),
    "ours, mean": meanOf(scoresOf(ours)),
    "peer, mean": meanOf(scoresOf(peer)),
    "ours - peer, at the end": difference(scoresOf(ours), scoresOf(peer)),
    "ours - peer, whole run": difference(meansOf(ours), meansOf(peer)),
  };
}

function eachOf(group: Group): string {
  return Array.from(scoresOf(group), (score) => String(Math.round(score))).join(", ") || "not run yet";
}

function meanOf(scores: Float64Array): string {
  return scores.length === 0 ? "" : withInterval(estimate([scores], aggregateMean, settings), scores.length);
}

function difference(ours: Float64Array, peer: Float64Array): string {
  if (peer.length === 0) return "";
  const apart = estimateOfPair([ours], [peer], (x, y) => mean(x[0]!) - mean(y[0]!), settings);
  return withInterval(apart, Math.min(ours.length, peer.length));
}

/** One run has no interval. */
function withInterval({ value, low, high }: Estimate, runs: number): string {
  const whole = (x: number): string => String(Math.round(x));
  return runs > 1 ? `${whole(value)} [${whole(low)}, ${whole(high)}]` : whole(value);
}

/** One environment's curves: a colour for each label, dashes for the peer. */
function panelOf(environment: string): Panel {
  const lines = known
    .filter((group) => group.environment === environment)
    .map(({ label, side, curves }) => {
      const rows = Math.min(...curves.map(({ agentSteps }) => agentSteps.length));
      const first = Math.max(...curves.map(({ meanReturn }) => meanReturn.findIndex((value) => !Number.isNaN(value))));
      const points = estimates(
        [Float64Array.from(curves, (_, run) => run)],
        ([drawn]) =>
          Float64Array.from({ length: rows - first }, (_, i) =>
            mean(drawn!.map((run) => curves[run]!.meanReturn[first + i]!)),
          ),
        { ...settings, resamples: 400 },
      );
      const place = labels.indexOf(label) + (side === "peer" ? 6 : 0);
      const seeds = `${curves.length} seed${curves.length === 1 ? "" : "s"}`;
      const name = `${label}${withPeer ? `, ${side}` : ""} (${seeds})`;
      return { name, place, x: curves[0]!.agentSteps.slice(first, rows), points };
    });
  return { title: environment, lines };
}
