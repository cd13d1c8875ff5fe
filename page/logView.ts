import type { PageLog, PageLogLine } from "../shared/pageEvents.ts";
import { byId, element } from "./element.ts";

const mostLines = 500;
const severity: Readonly<Record<string, number>> = { trace: 0, debug: 1, info: 2, warn: 3, error: 4, fatal: 5 };

/** The newest log lines, filtered by level and component. Stays where it is read; at its end it follows. */
export class LogView {
  readonly #list = byId("log");
  readonly #level = byId<HTMLSelectElement>("logLevel");
  readonly #component = byId<HTMLSelectElement>("logComponent");
  #lines: PageLogLine[] = [];

  constructor() {
    for (const filter of [this.#level, this.#component]) filter.addEventListener("change", () => this.#draw());
  }

  add({ reset, lines }: PageLog): void {
    this.#lines = [...(reset ? [] : this.#lines), ...lines].slice(-mostLines);
    this.#offerComponents();
    if (reset) return this.#draw();
    const fresh = lines.filter((line) => this.#wanted(line)).map(rowOf);
    this.#atEnd(() => {
      if (fresh.length > 0) this.#list.querySelector(".none")?.remove();
      this.#list.append(...fresh);
      while (this.#list.childElementCount > mostLines) this.#list.firstElementChild!.remove();
    });
  }

  #wanted({ level, component }: PageLogLine): boolean {
    const of = this.#component.value;
    return (severity[level] ?? 2) >= severity[this.#level.value]! && (of === "" || component.split(".")[0] === of);
  }

  #draw(): void {
    const rows = this.#lines.filter((line) => this.#wanted(line)).map(rowOf);
    const filtered = `None of the newest ${this.#lines.length} lines is of this kind.`;
    const none =
      this.#lines.length > 0 ? filtered : "No lines. Roles that were started by hand log to their own stderr.";
    if (rows.length === 0) rows.push(element("div", { class: "soft none" }, none));
    this.#list.replaceChildren(...rows);
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  #atEnd(change: () => void): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#list;
    const following = scrollHeight - scrollTop - clientHeight < 24;
    change();
    if (following) this.#list.scrollTop = this.#list.scrollHeight;
  }

  #offerComponents(): void {
    const known = new Set([...this.#component.options].map(({ value }) => value));
    for (const { component } of this.#lines) {
      const name = component.split(".")[0]!;
      if (known.has(name) || known.size > 12) continue;
      known.add(name);
      this.#component.append(element("option", { value: name }, name));
    }
  }
}

function rowOf({ time, level, component, text }: PageLogLine): HTMLElement {
  const clock = time === "" ? "" : new Date(time).toLocaleTimeString([], { hour12: false });
  const parts = [
    element("time", time === "" ? {} : { datetime: time }, clock),
    element("b", { class: `level ${level}` }, level),
    element("span", { class: "soft" }, component),
    element("span", { class: "text" }, text),
  ];
  return element("div", {}, ...parts);
}
