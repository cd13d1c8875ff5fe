/** Wall seconds by stage. */
export class StageClock {
  readonly seconds: Record<string, number> = {};
  #last = performance.now();

  end(stage: string): void {
    const now = performance.now();
    this.seconds[stage] = (now - this.#last) / 1000;
    this.#last = now;
  }
}
