import type { Estimate } from "./bootstrap.ts";
import { lookOf, readable } from "./charts.ts";

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
export const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!);

/** "12.3 (11 to 14)"; a dash where there is none. */
export const interval = (estimate: Estimate | null): string =>
  estimate === null ? "–" : `${readable(estimate.value)} (${readable(estimate.low)} to ${readable(estimate.high)})`;

/** A table of plain text, scrolled on its own where it is wider than the page. */
export function table(caption: string, header: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]) => `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`;
  const head = header.map((cell) => `<th scope="col">${escaped(cell)}</th>`).join("");
  return (
    `<div class="table" tabindex="0" role="region" aria-label="${escaped(caption)}"><table>` +
    `<caption>${escaped(caption)}</caption><thead><tr>${head}</tr></thead><tbody>${rows.map(row).join("")}</tbody></table></div>`
  );
}

/** A chart with a name for people who cannot see it, and its numbers beside it. */
export function figure(title: string, svg: string, numbers: string): string {
  const named = svg
    .replace("<svg ", `<svg role="img" aria-label="${escaped(title)}" `)
    .replace(/ width="\d+" height="\d+"/, "");
  return `<figure><h3>${escaped(title)}</h3>${named}<details><summary>Numbers</summary>${numbers}</details></figure>`;
}

const dashArray = { solid: "none", dashed: "7 4", dotted: "2 3" };
/** Each label with its line. */
export function legend(labels: readonly string[]): string {
  const items = labels.map((label, place) => {
    const { colour, dash } = lookOf(place);
    const line = `<line x1="1" y1="6" x2="27" y2="6" stroke="${colour}" stroke-width="3" stroke-dasharray="${dashArray[dash]}"/>`;
    return `<li><svg width="28" height="12" aria-hidden="true">${line}</svg><span>${escaped(label)}</span></li>`;
  });
  return `<ul class="legend" aria-label="Labels">${items.join("")}</ul>`;
}
