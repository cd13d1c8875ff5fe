import { Presets, SingleBar } from "cli-progress";

/** What the progress line and the JSON events tell of the newest update. */
export interface UpdateView {
  readonly update: number; // counted from 1
  readonly updates: number; // in the whole run
  readonly agentSteps: number;
  readonly totalSteps: number;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface Progress {
  update(view: UpdateView): void;
  /** A line of its own, above the bar. */
  say(text: string): void;
  close(): void;
}

/** A live bar on a terminal, else a line every few seconds: both on stderr, since stdout belongs to --json. */
export function humanProgress(): Progress {
  return process.stderr.isTTY ? new Bar() : new Lines();
}

class Bar implements Progress {
  readonly #rate = new Rate();
  readonly #bar = new SingleBar(
    {
      format: " {bar} {percentage}% | {steps} | {rate} steps/s | ETA {left} | {details}",
      hideCursor: true,
      fps: 4,
      barsize: 24,
      stream: process.stderr,
      forceRedraw: true,
    },
    Presets.shades_classic,
  );
  #started = false;

  update(view: UpdateView): void {
    const rate = this.#rate.of(view);
    const payload = {
      steps: `${short(view.agentSteps)}/${short(view.totalSteps)}`,
      rate: rate === null ? "-" : short(rate),
      left: rate === null ? "-" : duration((view.totalSteps - view.agentSteps) / rate),
      details: details(view),
    };
    if (!this.#started) this.#bar.start(view.totalSteps, view.agentSteps, payload);
    this.#started = true;
    this.#bar.update(view.agentSteps, payload);
  }

  say(text: string): void {
    if (this.#started) process.stderr.write("\r\x1b[K");
    process.stderr.write(`${text}\n`);
  }

  close(): void {
    if (this.#started) this.#bar.stop();
  }
}

class Lines implements Progress {
  readonly #rate = new Rate();
  #lastAt = 0;
  #pending: string | null = null;

  update(view: UpdateView): void {
    const rate = this.#rate.of(view);
    const speed =
      rate === null ? "" : ` | ${short(rate)} steps/s | ETA ${duration((view.totalSteps - view.agentSteps) / rate)}`;
    this.#pending = `update ${view.update}/${view.updates} | ${short(view.agentSteps)}/${short(view.totalSteps)} steps${speed} | ${details(view)}`;
    if (Date.now() - this.#lastAt >= 5000) this.#flush();
  }

  say(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  close(): void {
    this.#flush();
  }

  #flush(): void {
    if (this.#pending === null) return;
    this.say(this.#pending);
    this.#pending = null;
    this.#lastAt = Date.now();
  }
}

/** Agent steps per second over the last 30 s of reports, as this process saw them. */
class Rate {
  readonly #seen: { readonly at: number; readonly steps: number }[] = [];

  of(view: UpdateView): number | null {
    const at = performance.now();
    this.#seen.push({ at, steps: view.agentSteps });
    while (this.#seen.length > 2 && at - this.#seen[0]!.at > 30_000) this.#seen.shift();
    const first = this.#seen[0]!;
    return at - first.at < 200 ? null : ((view.agentSteps - first.steps) / (at - first.at)) * 1000;
  }
}

function details({ metrics }: UpdateView): string {
  const parts = [
    `return ${metrics.mean_return === undefined || Number.isNaN(metrics.mean_return) ? "-" : short(metrics.mean_return)}`,
  ];
  if (metrics.policy_lag !== undefined) parts.push(`lag ${short(metrics.policy_lag)}`);
  parts.push(whoWaits(metrics));
  return parts.join(" | ");
}

/** The bottleneck, plainly: whoever waits less is the one to give more cores. */
export function whoWaits(metrics: Readonly<Record<string, number>>): string {
  const learner = metrics.learner_wait_seconds ?? 0;
  const actors = metrics.actors_wait_seconds ?? 0;
  if (learner === 0 && actors === 0) return "nobody waits";
  return learner > actors ? "learner waits" : "actors wait";
}

export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${(value / 1e6).toFixed(2)}M`;
  if (size >= 1e4) return `${(value / 1e3).toFixed(0)}k`;
  if (size >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return value.toFixed(2);
}

export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours > 0
    ? `${hours}h${String(minutes).padStart(2, "0")}m`
    : `${minutes}m${String(whole % 60).padStart(2, "0")}s`;
}
