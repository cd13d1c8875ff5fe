import { byId, element, setText, show } from "./element.ts";
import { readable } from "./numbers.ts";

/** Events of `anchorage watch --json` (docs/policy.md), as far as they are shown. */
interface Watching {
  readonly action:
    | { readonly kind: "discrete"; readonly count: number }
    | { readonly kind: "continuous"; readonly low: readonly number[]; readonly high: readonly number[] };
  readonly actionNames?: readonly string[] | null;
}
interface Frame {
  readonly episode: number;
  readonly step: number;
  readonly policyVersion: number | null;
  readonly imageType: string;
  readonly image: string; // base64
  readonly width: number;
  readonly height: number;
  readonly pixelated: boolean;
  readonly action: number | readonly number[];
  readonly probabilities?: readonly number[];
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  readonly value: number;
  readonly return: number;
}

const valuesShown = 160;
const mostBars = 24;
const imageTypes = new Set(["image/png", "image/jpeg", "image/webp"]);

/** The agent at play: pictures, the policy's distribution over actions, and its value. */
export class Play {
  readonly #toggle = byId<HTMLButtonElement>("playToggle");
  readonly #image = byId<HTMLImageElement>("frame");
  #source: EventSource | null = null;
  #watching: Watching | null = null;
  #values: number[] = [];
  #next: Frame | null = null;
  #resumeWhenSeen = false;

  constructor() {
    this.#toggle.addEventListener("click", () => (this.#source === null ? this.#start() : this.#stop("")));
    document.addEventListener("visibilitychange", () => this.#seen(!document.hidden));
  }

  /** Whether there is a policy to play with yet. */
  set possible(possible: boolean) {
    this.#toggle.disabled = !possible && this.#source === null;
    if (!possible && this.#source === null)
      setText(byId("playNote"), "There is no policy yet: the first checkpoint brings it.");
    else if (byId("playNote").textContent?.startsWith("There is no policy yet"))
      setText(byId("playNote"), "A game of the run's newest policy, played while you look.");
  }

  #start(): void {
    const source = new EventSource("/api/play");
    this.#source = source;
    this.#values = [];
    setText(this.#toggle, "Stop watching");
    this.#note("Starting the game…");
    const on = <T>(name: string, take: (event: T) => void): void =>
      source.addEventListener(name, (event: MessageEvent<string>) => take(JSON.parse(event.data) as T));
    on<Watching>("watching", (watching) => this.#begin(watching));
    on<Frame>("frame", (frame) => this.#take(frame));
    on<{ problem: string }>("ended", ({ problem }) => this.#stop(problem === "" ? "The game has ended." : problem));
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED)
        this.#stop("It cannot be watched now: too many do, or nobody answers.");
    };
  }

  #stop(note: string): void {
    this.#source?.close();
    this.#source = null;
    setText(this.#toggle, "Watch");
    if (note !== "" || this.#image.hidden)
      this.#note(note || "A game of the run's newest policy, played while you look.");
  }

  /** Nobody sees a hidden tab's pictures: the game ends, and goes on with who looks again. */
  #seen(visible: boolean): void {
    if (!visible && this.#source !== null) {
      this.#resumeWhenSeen = true;
      this.#stop("");
    } else if (visible && this.#resumeWhenSeen) {
      this.#resumeWhenSeen = false;
      this.#start();
    }
  }

  #note(text: string): void {
    setText(byId("playNote"), text);
    show(byId("playNote"), true);
    show(this.#image, false);
  }

  #begin(watching: Watching): void {
    this.#watching = watching;
    const { action, actionNames } = watching;
    const count = action.kind === "discrete" ? action.count : action.low.length;
    const rows = Array.from({ length: Math.min(count, mostBars) }, (_, i) => {
      const name = actionNames?.[i] ?? (action.kind === "discrete" ? `action ${i}` : `joint ${i + 1}`);
      const track = element(
        "span",
        { class: `track ${action.kind}`, "aria-hidden": "true" },
        element("i"),
        element("b"),
      );
      return element(
        "li",
        {},
        element("span", { class: "name" }, name),
        track,
        element("span", { class: "number" }, "–"),
        ...(action.kind === "discrete" ? [] : [element("span", { class: "unseen" })]),
      );
    });
    byId("distribution").replaceChildren(...rows);
    const title = action.kind === "discrete" ? "Action probabilities" : "Actions: mean, one standard deviation, chosen";
    setText(byId("distributionTitle"), title);
  }

  #take(frame: Frame): void {
    const waiting = this.#next !== null;
    this.#next = frame;
    if (!waiting) requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    const frame = this.#next;
    this.#next = null;
    if (frame === null || this.#source === null || !imageTypes.has(frame.imageType)) return;
    this.#image.src = `data:${frame.imageType};base64,${frame.image}`;
    this.#image.width = frame.width;
    this.#image.height = frame.height;
    this.#image.classList.toggle("pixelated", frame.pixelated);
    show(this.#image, true);
    show(byId("playNote"), false);
    show(byId("playData"), true);
    setText(byId("playReturn"), readable(frame.return));
    setText(byId("playValue"), readable(frame.value));
    setText(byId("playEpisode"), `${frame.episode + 1}, step ${frame.step}`);
    setText(byId("playPolicy"), frame.policyVersion === null ? "newest" : `after update ${frame.policyVersion}`);
    this.#drawValue(frame.value);
    this.#drawActions(frame);
  }

  #drawValue(value: number): void {
    this.#values = [...this.#values, value].slice(-valuesShown);
    const low = Math.min(...this.#values);
    const range = Math.max(...this.#values) - low || 1;
    const points = this.#values.map((each, i) => `${i},${(26 - ((each - low) / range) * 24).toFixed(1)}`);
    byId("valueLine").querySelector("polyline")!.setAttribute("points", points.join(" "));
  }

  #drawActions({ action, probabilities, mean, std }: Frame): void {
    const kind = this.#watching?.action;
    if (kind === undefined) return;
    [...byId("distribution").children].forEach((row, i) => {
      const [bar, mark] = [row.querySelector("i")!, row.querySelector("b")!];
      const number = row.querySelector(".number")!;
      if (kind.kind === "discrete") {
        const share = probabilities?.[i] ?? 0;
        bar.style.width = `${share * 100}%`;
        row.classList.toggle("chosen", action === i);
        setText(number, `${Math.round(share * 100)} %`);
        return;
      }
      const [low, high] = [kind.low[i] ?? -1, kind.high[i] ?? 1];
      const place = (x: number): number => Math.min(1, Math.max(0, (x - low) / (high - low || 1))) * 100;
      const [middle, spread] = [mean?.[i] ?? 0, std?.[i] ?? 0];
      const from = Math.min(99, place(middle - spread)); // of a mean far out of the limits the edge is seen
      bar.style.left = `${from}%`;
      bar.style.width = `${Math.max(1, place(middle + spread) - from)}%`;
      const chosen = typeof action === "number" ? action : (action[i] ?? 0);
      // whole within the track, also at its ends: the mark is 3 px wide
      mark.style.left = `calc(${place(chosen)}% - ${place(chosen) * 0.03}px)`;
      setText(number, signed(chosen));
      setText(row.querySelector(".unseen")!, ` chosen, mean ${signed(middle)} ± ${signed(spread)}`);
    });
  }
}

const signed = (value: number): string => value.toFixed(2).replace("-", "−");
