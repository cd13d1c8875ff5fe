/** A rate needs some rollouts: those of the newest half minute. */
const rateOverMs = 30_000;

/** What a member's heartbeats say of it (their status_json), as far as the page shows it. */
export class HeardStatus {
  said: Readonly<Record<string, unknown>> = {};
  /** Updates that the run had done when it was said. */
  updates = 0;
  #collected: { readonly at: number; readonly agentSteps: number }[] = [];

  /** `at`: performance.now(). */
  hear(statusJson: string, at: number, updates: number): void {
    this.said = parsed(statusJson);
    this.updates = updates;
    const { agentSteps } = this.said;
    if (typeof agentSteps !== "number") return;
    this.#collected = this.#collected.filter((earlier) => earlier.at >= at - rateOverMs);
    this.#collected.push({ at, agentSteps });
  }

  /** Agent steps collected per second, over its newest heartbeats; null: not known yet. */
  get stepsPerSecond(): number | null {
    const first = this.#collected[0];
    const last = this.#collected.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return null;
    return Math.max(0, ((last.agentSteps - first.agentSteps) * 1000) / (last.at - first.at));
  }
}

/** It is for people: one that is no JSON object says nothing. */
function parsed(json: string): Readonly<Record<string, unknown>> {
  try {
    const said: unknown = JSON.parse(json);
    return said !== null && typeof said === "object" && !Array.isArray(said) ? { ...said } : {};
  } catch {
    return {};
  }
}
