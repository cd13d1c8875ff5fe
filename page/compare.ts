import type { PageCurve, PageSibling } from "../shared/pageEvents.ts";
import { Chart, type ChartLine } from "./chart.ts";
import { ask, Refused } from "./connection.ts";
import { nothing } from "./curves.ts";
import { byId, element, setText } from "./element.ts";

const mostCompared = 6;
const againMs = 15_000;

interface Own {
  readonly agentSteps: readonly number[];
  readonly meanReturn: readonly (number | null)[];
}

/** Mean returns of the runs of a folder in one chart. */
export class Compare {
  readonly #own: Own;
  readonly #others = new Map<string, PageCurve>(); // those that are chosen
  #runs: readonly PageSibling[] = [];
  #chart: Chart | null = null;
  #labels = "";
  #hint = "";
  readonly #problems = new Map<string, string>(); // with a run's curve, by name

  constructor(own: Own) {
    this.#own = own;
    setInterval(() => void this.#readAgain(), againMs);
  }

  /** Lists the folder's runs. */
  async look(): Promise<void> {
    const note = byId("compareNote");
    try {
      this.#runs = await ask<PageSibling[]>("/api/runs");
    } catch (error) {
      return setText(note, error instanceof Refused ? error.message : "The coordinator does not answer.");
    }
    const others = this.#runs.filter(({ own }) => !own);
    this.#hint = others.length === 0 ? "This is the only run of its folder." : `Choose up to ${mostCompared - 1}.`;
    this.#note();
    const choices = others.map((run) => this.#choice(run));
    byId("compareRuns").replaceChildren(byId("compareRuns").querySelector("legend")!, note, ...choices);
    this.draw();
  }

  /** With what this page knows now of its own run. */
  draw(): void {
    const shown = [...this.#others].map(([name, curve]) => ({ label: this.#labelOf(name), curve }));
    const all = [{ label: "this run", curve: this.#own as PageCurve }, ...shown];
    const labels = all.map(({ label }) => label).join("\n");
    if (this.#chart === null || labels !== this.#labels) {
      this.#chart?.remove();
      const lines: ChartLine[] = all.map(({ label }, i) => ({
        label,
        colour: `--series-${i}`,
        ...(i === 0 ? {} : { dash: i % 2 === 0 ? [2, 3] : [7, 4] }),
      }));
      this.#chart = new Chart({ title: "Mean return", lines, height: 260, nothing });
      this.#labels = labels;
      byId("compareChart").replaceChildren(this.#chart.root);
    }
    const [x, columns] = joined(all.map(({ curve }) => curve));
    this.#chart.set(x, columns);
  }

  #labelOf(name: string): string {
    const run = this.#runs.find((one) => one.name === name);
    return run === undefined ? name : `${run.algo} s${run.seed} (${name})`;
  }

  #choice(run: PageSibling): HTMLElement {
    const box = element("input", { type: "checkbox", value: run.name });
    box.checked = this.#others.has(run.name);
    box.addEventListener("change", () => void this.#choose(run.name, box));
    const state = run.state.toLowerCase();
    const about = element("small", { class: "soft" }, ` ${run.env}, ${run.algo}, seed ${run.seed}, ${state}`);
    return element("label", { class: "choice" }, box, element("span", {}, run.name, about));
  }

  async #choose(name: string, box: HTMLInputElement): Promise<void> {
    const chosen = byId("compareRuns").querySelectorAll("input:checked").length; // some may still be read
    for (const told of this.#problems.keys()) if (!this.#others.has(told)) this.#problems.delete(told);
    if (!box.checked) this.#forget(name);
    else if (chosen >= mostCompared) {
      box.checked = false;
      this.#problems.set(name, `${mostCompared - 1} are chosen, which are the most: leave one out first.`);
    } else await this.#read(name);
    if (!box.checked) this.#others.delete(name); // left out while it was read
    box.checked = this.#others.has(name);
    this.#note();
    this.draw();
  }

  #forget(name: string): void {
    this.#others.delete(name);
    this.#problems.delete(name);
  }

  /** Where a run cannot be had any more, what was read of it stays. */
  async #read(name: string): Promise<void> {
    try {
      const curve = await ask<PageCurve>(`/api/runs/${encodeURIComponent(name)}`);
      this.#others.set(name, curve);
      this.#problems.delete(name);
      if (curve.unreadableLines > 0) this.#problems.set(name, damageOf(name, curve));
    } catch (error) {
      this.#problems.set(name, error instanceof Refused ? error.message : "The coordinator does not answer.");
    }
  }

  #note(): void {
    const note = byId("compareNote");
    setText(note, this.#problems.size === 0 ? this.#hint : [...this.#problems.values()].join(" "));
    note.className = this.#problems.size === 0 ? "soft" : "warning";
  }

  async #readAgain(): Promise<void> {
    if (document.hidden) return;
    const going = this.#runs.filter(({ name, state }) => this.#others.has(name) && state !== "FINISHED");
    for (const { name } of going) await this.#read(name);
    if (going.length === 0) return;
    this.#note();
    this.draw();
  }
}

function damageOf(name: string, { unreadableLines: lines }: PageCurve): string {
  return `${lines} ${lines === 1 ? "line" : "lines"} of ${name}/metrics.jsonl cannot be read and ${lines === 1 ? "is" : "are"} left out.`;
}

/** Curves with points of their own on one x: null where a curve has none. */
function joined(curves: readonly PageCurve[]): [number[], (number | null)[][]] {
  const x = [...new Set(curves.flatMap(({ agentSteps }) => agentSteps))].sort((a, b) => a - b);
  const columns = curves.map(({ agentSteps, meanReturn }) => {
    const values = new Map(agentSteps.map((steps, i) => [steps, meanReturn[i] ?? null]));
    return x.map((steps) => values.get(steps) ?? null);
  });
  return [x, columns];
}
