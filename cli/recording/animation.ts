import { extname } from "node:path";
import type { Picture } from "../../shared/environment.ts";
import { messageOf, OperatorError } from "../../shared/errors.ts";
import type { ImageOf } from "../stillImage.ts";

/** Takes pictures of one size in their order; the file appears under its name when it is whole. */
export interface Animation {
  add(picture: Picture): Promise<void>;
  /** Throws STORAGE, or SETUP with ffmpeg's own words. */
  finish(): Promise<void>;
  /** Leaves nothing behind; harmless after `finish`. */
  abandon(): Promise<void>;
}

export interface AnimationSettings {
  readonly file: string;
  readonly secondsPerFrame: number;
  readonly imageOf: ImageOf;
}

/** Where a file is written until it is whole: beside it, with its ending, from which ffmpeg takes the format. */
export function unfinished(file: string): string {
  const ending = extname(file);
  return `${file.slice(0, file.length - ending.length)}.unfinished-${process.pid}${ending}`;
}

export function cannotWrite(file: string, cause: unknown): OperatorError {
  const problem = `${file} cannot be written: ${messageOf(cause)}.`;
  return new OperatorError(
    "STORAGE",
    problem,
    "Choose another --record, or make room and give write permission there.",
    {
      cause,
    },
  );
}
