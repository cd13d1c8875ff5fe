import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { rename, rm } from "node:fs/promises";
import { extname } from "node:path";
import { promisify } from "node:util";
import type { Picture } from "../../shared/environment.ts";
import { messageOf, OperatorError } from "../../shared/errors.ts";
import { type Animation, type AnimationSettings, cannotWrite, unfinished } from "./animation.ts";
import { enlarged } from "./enlarged.ts";

const codecs: Readonly<Record<string, readonly string[]>> = {
  // yuv420p, which every player knows, has half as many colours each way: the extents must be even
  ".mp4": ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart"],
  ".webm": ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", "-b:v", "1M"],
  ".gif": ["-vf", "split[a][b];[a]palettegen[p];[b][p]paletteuse", "-loop", "0"],
};

/** Throws SETUP where there is no ffmpeg that runs. */
export async function requireFfmpeg(file: string): Promise<void> {
  try {
    await promisify(execFile)("ffmpeg", ["-version"]);
  } catch (cause) {
    const problem = `${file} takes ffmpeg, which does not run here: ${messageOf(cause)}.`;
    throw new OperatorError("SETUP", problem, "Install ffmpeg, or record to a .webp file, which needs none.", {
      cause,
    });
  }
}

/** A video that the machine's ffmpeg encodes as the pictures come. */
export class FfmpegVideo implements Animation {
  readonly #settings: AnimationSettings;
  #ffmpeg: ChildProcess | null = null;
  #ended: Promise<unknown[]> | null = null;
  #words = ""; // ffmpeg's own

  constructor(settings: AnimationSettings) {
    this.#settings = settings;
  }

  async add(picture: Picture): Promise<void> {
    const shown = enlarged(picture);
    this.#ffmpeg ??= this.#start(shown);
    const { stdin } = this.#ffmpeg;
    if (stdin!.writable && !stdin!.write(shown.rgb)) await Promise.race([once(stdin!, "drain"), this.#ended]);
    if (this.#ffmpeg.exitCode !== null) throw this.#failed();
  }

  #start({ width, height }: Picture): ChildProcess {
    const { file, secondsPerFrame } = this.#settings;
    const input = [
      "-f",
      "rawvideo",
      "-pix_fmt",
      "rgb24",
      "-s",
      `${width}x${height}`,
      "-framerate",
      `${1 / secondsPerFrame}`,
    ];
    const output = [...codecs[extname(file).toLowerCase()]!, "-y", unfinished(file)];
    const ffmpeg = spawn("ffmpeg", ["-loglevel", "error", ...input, "-i", "-", ...output], {
      stdio: ["pipe", "ignore", "pipe"],
    });
    ffmpeg.stderr!.on("data", (data) => (this.#words = `${this.#words}${data}`.slice(-2000)));
    ffmpeg.stdin!.on("error", () => undefined); // EPIPE: its exit status and words say why
    this.#ended = once(ffmpeg, "close");
    return ffmpeg;
  }

  async finish(): Promise<void> {
    const { file } = this.#settings;
    this.#ffmpeg!.stdin!.end();
    await this.#ended;
    if (this.#ffmpeg!.exitCode !== 0) {
      await this.abandon();
      throw this.#failed();
    }
    try {
      await rename(unfinished(file), file);
    } catch (cause) {
      throw cannotWrite(file, cause);
    }
  }

  #failed(): OperatorError {
    const words = this.#words.trim().replaceAll("\n", "; ").replace(/\.$/, "");
    const problem = `ffmpeg ended with status ${this.#ffmpeg?.exitCode} while it wrote ${this.#settings.file}: ${words}.`;
    return new OperatorError("SETUP", problem, "Install an ffmpeg with that codec, or record to a .webp file.");
  }

  async abandon(): Promise<void> {
    if (this.#ffmpeg !== null && this.#ffmpeg.exitCode === null) {
      this.#ffmpeg.kill("SIGKILL");
      await this.#ended;
    }
    await rm(unfinished(this.#settings.file), { force: true });
  }
}
