/** Which agent steps are shown and how long, so that the simulation is seen at its own speed. */
export class Pace {
  readonly stepsPerFrame: number;
  readonly secondsPerFrame: number;
  #dueMs = 0;

  /** `fps`: about that many frames a second. `secondsPerStep` null: the simulation has no clock, every step is shown. */
  constructor(fps: number, secondsPerStep: number | null) {
    this.stepsPerFrame = secondsPerStep === null ? 1 : Math.max(1, Math.round(1 / (fps * secondsPerStep)));
    this.secondsPerFrame = secondsPerStep === null ? 1 / fps : this.stepsPerFrame * secondsPerStep;
  }

  /** Once per frame: how long to wait after it. A machine that is too slow is not caught up with later. */
  waitMs(nowMs: number): number {
    this.#dueMs = Math.max(this.#dueMs + this.secondsPerFrame * 1000, nowMs);
    return this.#dueMs - nowMs;
  }
}
