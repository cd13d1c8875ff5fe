import type { PageCheckpoint, PageEvaluation, PageRun, PageStatus } from "../shared/pageEvents.ts";
import { byId, element, setText, show } from "./element.ts";
import { bytes, readable } from "./numbers.ts";

const episodes = 10;

/** The table of checkpoints; drawn anew only when something in it changed, so that a focused button stays where it is. */
export class Checkpoints {
  readonly #onEvaluate: (checkpoint: string, episodes: number) => void;
  #drawn = "";

  constructor(onEvaluate: (checkpoint: string, episodes: number) => void) {
    this.#onEvaluate = onEvaluate;
  }

  show(run: PageRun, { checkpoints, damagedCheckpoints, evaluations }: PageStatus, unlocked: boolean): void {
    const now = JSON.stringify([checkpoints, evaluations, damagedCheckpoints, unlocked]);
    if (now === this.#drawn) return;
    this.#drawn = now;
    show(byId("policyLink"), checkpoints.length > 0);
    show(byId("damaged"), damagedCheckpoints > 0);
    const plural = damagedCheckpoints === 1 ? "checkpoint was" : "checkpoints were";
    setText(byId("damaged"), `${damagedCheckpoints} damaged ${plural} set aside and not used: check the disk.`);
    const playing = evaluations.some(({ state }) => state === "playing");
    const canEvaluate = run.canEvaluate && unlocked && !playing;
    const rows = checkpoints.map((one) => {
      const evaluated = evaluations.find(({ checkpoint }) => checkpoint === one.name);
      return this.#row(one, evaluated, run.canEvaluate, canEvaluate);
    });
    const gone = evaluations.filter(({ checkpoint }) => !checkpoints.some(({ name }) => name === checkpoint));
    rows.push(...gone.map((one) => goneRow(one)));
    const none = element("td", { colspan: "6", class: "soft" }, "None yet: the first comes with the first updates.");
    if (rows.length === 0) rows.push(element("tr", {}, none));
    byId("checkpoints")
      .querySelector("tbody")!
      .replaceChildren(...rows);
  }

  #row(
    { name, update, meanReturn, saved, bytes: size, best }: PageCheckpoint,
    evaluated: PageEvaluation | undefined,
    offered: boolean,
    enabled: boolean,
  ): HTMLTableRowElement {
    const when = new Date(saved);
    const time = element("time", { datetime: saved, title: when.toLocaleString() }, when.toLocaleTimeString());
    const link = element(
      "a",
      { class: "button", href: `/api/checkpoints/${encodeURIComponent(name)}.ckpt`, download: "" },
      "Download",
      element("span", { class: "unseen" }, ` the checkpoint after update ${update}`),
    );
    const actions = element(
      "td",
      { class: "actions" },
      ...(offered ? [this.#button(name, update, enabled), link] : [link]),
    );
    return element(
      "tr",
      {},
      element(
        "th",
        { scope: "row" },
        String(update),
        ...(best ? [element("span", { class: "pill best" }, "best")] : []),
      ),
      element("td", {}, readable(meanReturn)),
      element("td", {}, time),
      element("td", {}, bytes(size)),
      element("td", {}, result(evaluated)),
      actions,
    );
  }

  #button(name: string, update: number, enabled: boolean): HTMLButtonElement {
    const unseen = element("span", { class: "unseen" }, ` the checkpoint after update ${update}`);
    const button = element("button", { type: "button" }, "Evaluate", unseen);
    button.disabled = !enabled;
    button.title = enabled ? `Plays ${episodes} raw episodes` : "Needs the control token, and one evaluation at a time";
    button.addEventListener("click", () => this.#onEvaluate(name, episodes));
    return button;
  }
}

/** Evaluated, and since then removed: newer ones took its place. */
function goneRow(evaluated: PageEvaluation): HTMLTableRowElement {
  const cell = (text: string): HTMLElement => element("td", { class: "soft" }, text);
  const update = element("th", { scope: "row" }, String(evaluated.update));
  return element(
    "tr",
    {},
    update,
    cell("–"),
    cell("no longer stored"),
    cell("–"),
    element("td", {}, result(evaluated)),
    cell(""),
  );
}

function result(evaluated: PageEvaluation | undefined): string {
  if (evaluated === undefined) return "–";
  if (evaluated.state === "playing") return `playing ${evaluated.episodes} episodes…`;
  if (evaluated.state === "failed") return `failed: ${evaluated.problem}`;
  const { mean, std, min, max, episodes: played } = evaluated;
  return `${readable(mean)} ± ${readable(std)} (${readable(min)} to ${readable(max)}, ${played} episodes)`;
}
