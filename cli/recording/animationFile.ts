import { existsSync, statSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { extname } from "node:path";
import { OperatorError } from "../../shared/errors.ts";
import { AnimatedWebp } from "./animatedWebp.ts";
import { type Animation, type AnimationSettings, cannotWrite, unfinished } from "./animation.ts";
import { FfmpegVideo, requireFfmpeg } from "./ffmpegVideo.ts";

const byFfmpeg = [".mp4", ".webm", ".gif"];

/**
 * Whether an animation can be written to `file`, told before anything is played: throws CONFIG for another ending,
 * SETUP where it takes an ffmpeg that is not here, STORAGE for a file that is there already (unless `force`) or cannot be
 * written.
 */
export async function checkAnimationFile(file: string, force: boolean): Promise<void> {
  const ending = extname(file).toLowerCase();
  if (ending !== ".webp" && !byFfmpeg.includes(ending)) {
    const problem = `--record ${file} ends in ${ending === "" ? "nothing" : `"${ending}"`}, which is no format that can be written.`;
    throw new OperatorError("CONFIG", problem, `Name a .webp file, or with ffmpeg installed ${byFfmpeg.join(", ")}.`);
  }
  if (byFfmpeg.includes(ending)) await requireFfmpeg(file);
  if (existsSync(file) && !force)
    throw new OperatorError(
      "STORAGE",
      `${file} is there already.`,
      "Choose another --record, or overwrite it with --force.",
    );
  if (existsSync(file) && statSync(file).isDirectory()) throw cannotWrite(file, "it is a folder");
  const trial = unfinished(file);
  try {
    await (await open(trial, "wx")).close();
    await rm(trial);
  } catch (cause) {
    throw cannotWrite(file, cause);
  }
}

/** An animation in the format that the file's ending names. `checkAnimationFile` comes first. */
export function animation(settings: AnimationSettings): Animation {
  const video = byFfmpeg.includes(extname(settings.file).toLowerCase());
  return video ? new FfmpegVideo(settings) : new AnimatedWebp(settings);
}
