import { type Line, lineChart, lookOf } from "../cli/report/charts.ts";
import { pageStyle } from "../cli/report/pageStyle.ts";

export interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
}

const width = 400;
const chartHeight = 270;
const rowHeight = 18;

/** Learning curves by agent step, side by side in one SVG, each with its legend below; light or dark as the reader has it. */
export function panels(all: readonly Panel[]): string {
  const legendRows = Math.max(...all.map(({ lines }) => lines.length));
  const height = 30 + chartHeight + legendRows * rowHeight + 12;
  const colours = pageStyle.slice(0, pageStyle.indexOf("* {"));
  const drawn = all.map((panel, i) => `<g transform="translate(${i * width} 0)">${one(panel)}</g>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${all.length * width} ${height}" font-family="system-ui, sans-serif">
<style>${colours} text { fill: var(--ink); }</style><rect width="100%" height="100%" fill="var(--paper)"/>
${drawn.join("\n")}
</svg>
`;
}

function one({ title, lines }: Panel): string {
  const chart = lineChart({ x: "agent steps", y: "mean return, last 100 episodes", lines });
  const placed = chart.replace(
    /^<svg [^>]*?viewBox/,
    `<svg xmlns="http://www.w3.org/2000/svg" x="0" y="28" width="${width}" height="${chartHeight}" viewBox`,
  );
  const legend = lines.map(({ name, place }, i) => {
    const { colour, dash } = lookOf(place);
    const y = 28 + chartHeight + (i + 0.5) * rowHeight;
    const dashes = { solid: "none", dashed: "6 3", dotted: "2 2" }[dash];
    return `<line x1="62" x2="92" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="2" stroke-dasharray="${dashes}"/><text x="100" y="${y + 4}" font-size="12.5">${name}</text>`;
  });
  return `<text x="${width / 2 + 20}" y="20" text-anchor="middle" font-size="15" font-weight="600">${title}</text>${placed}${legend.join("")}`;
}
