import type { EpisodePlayer, PlayedStep } from "../../actor/episodePlayer.ts";
import type { Audience } from "../../actor/evaluate.ts";
import type { PictureSize } from "../../shared/environment.ts";
import { Pace } from "../pace.ts";
import { imageMaker } from "../stillImage.ts";
import { cannotShow } from "../watch.ts";
import type { Animation } from "./animation.ts";
import { animation } from "./animationFile.ts";

export interface RecordingSettings {
  readonly file: string;
  readonly size: PictureSize;
  readonly fps: number;
}

/** Records the first episode of an evaluation. `finish` or `abandon` must follow. */
export class Recording implements Audience {
  readonly #settings: RecordingSettings;
  #pace: Pace | null = null;
  #animation: Animation | null = null;
  #frames = 0;

  constructor(settings: RecordingSettings) {
    this.#settings = settings;
  }

  get frames(): number {
    return this.#frames;
  }

  async begin({ batch }: EpisodePlayer): Promise<void> {
    const { file, size, fps } = this.#settings;
    if (batch.render(0, size) === null) throw cannotShow(batch.spec.id);
    this.#pace = new Pace(fps, batch.presentation.secondsPerStep);
    const { secondsPerFrame } = this.#pace;
    this.#animation = animation({ file, secondsPerFrame, imageOf: await imageMaker() });
  }

  pictureAt(step: number): PictureSize | null {
    return step % this.#pace!.stepsPerFrame === 0 ? this.#settings.size : null;
  }

  async show({ picture }: PlayedStep): Promise<void> {
    if (picture === null) return;
    await this.#animation!.add(picture);
    this.#frames++;
  }

  async finish(): Promise<void> {
    await this.#animation!.finish();
  }

  async abandon(): Promise<void> {
    await this.#animation?.abandon();
  }
}
