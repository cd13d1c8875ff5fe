import type { PageCurve, PageSibling } from "../shared/pageEvents.ts";
import { Chart, type ChartLine } from "./chart.ts";
import { ask } from "./connection.ts";
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
      return setText(note, error instanceof Error ? error.message : String(error));
    }
    const others = this.#runs.filter(({ own }) => !own);
    const hint = others.length === 0 ? "This is the only run of its folder." : `Choose up to ${mostCompared - 1}.`;
    setText(note, hint);
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
    if (!box.checked) this.#others.delete(name);
    else if (this.#others.size >= mostCompared - 1) box.checked = false;
    else await this.#read(name);
    this.draw();
  }

  async #read(name: string): Promise<void> {
    try {
      this.#others.set(name, await ask<PageCurve>(`/api/runs/${encodeURIComponent(name)}`));
    } catch (error) {
      setText(byId("compareNote"), error instanceof Error ? error.message : String(error));
    }
  }

  async #readAgain(): Promise<void> {
    if (document.hidden) return;
    const going = this.#runs.filter(({ name, state }) => this.#others.has(name) && state === "RUNNING");
    for (const { name } of going) await this.#read(name);
    if (going.length > 0) this.draw();
  }
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
