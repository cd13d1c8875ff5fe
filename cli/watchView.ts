import type { PlayedStep } from "../actor/episodePlayer.ts";
import type { EnvBatch, Picture } from "../shared/environment.ts";
import type { Pace } from "./pace.ts";
import type { StillImage } from "./stillImage.ts";

/** What `anchorage watch` writes on stdout: for programs one JSON object per line (docs/policy.md), for people one line per episode. */
export class WatchView {
  readonly #json: boolean;

  constructor(json: boolean) {
    this.#json = json;
  }

  watching({ spec, presentation }: EnvBatch, { stepsPerFrame, secondsPerFrame }: Pace): void {
    const { actionNames, secondsPerStep } = presentation;
    this.#emit({
      event: "watching",
      env: spec.id,
      action: spec.action,
      actionNames,
      secondsPerStep,
      stepsPerFrame,
      secondsPerFrame,
    });
  }

  policy(version: number | null): void {
    this.#emit({ event: "policy", version });
  }

  frame(step: PlayedStep, picture: Picture, image: StillImage, policyVersion: number | null, reward: number): void {
    const { width, height, pixelated } = picture;
    const { kind, ...parameters } = step.distribution;
    this.#emit({
      event: "frame",
      episode: step.episode,
      step: step.step,
      policyVersion,
      imageType: image.mediaType,
      image: image.bytes.toString("base64"),
      width,
      height,
      pixelated,
      action: rounded(step.action),
      ...Object.fromEntries(Object.entries(parameters).map(([name, values]) => [name, rounded(values)])),
      value: rounded(step.value),
      reward: rounded(reward),
      return: rounded(step.returnSoFar),
      ended: step.ended,
    });
  }

  episode({ episode, step, returnSoFar, ended }: PlayedStep, policyVersion: number | null): void {
    const length = step + 1;
    if (this.#json) return this.#emit({ event: "episode", episode, policyVersion, return: returnSoFar, length, ended });
    const policy = policyVersion === null ? "" : `, policy ${policyVersion}`;
    process.stdout.write(`episode ${episode + 1}: return ${returnSoFar.toFixed(2)}, ${length} agent steps${policy}\n`);
  }

  #emit(event: Record<string, unknown>): void {
    if (this.#json) process.stdout.write(`${JSON.stringify(event)}\n`);
  }
}

/** Six digits: more than anybody sees, and half the bytes. */
function rounded(value: number | readonly number[]): number | number[] {
  return typeof value === "number" ? Number(value.toPrecision(6)) : value.map((each) => Number(each.toPrecision(6)));
}
