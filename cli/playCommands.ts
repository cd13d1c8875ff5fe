import type { Command } from "commander";
import type { EvaluateFlags } from "./evaluate.ts";
import { count, framesPerSecond, pictureSize, seed, usualSize } from "./flagValues.ts";
import { runs } from "./runs.ts";
import type { WatchFlags } from "./watch.ts";

const fpsHelp = "about this many pictures a second, at the simulation's own speed";
const sizeHelp = "of the pictures, where the environment has no screen of its own";
const policyHelp = "an exported policy instead of a run";
const checkpointHelp = "with --run-dir: a checkpoint's policy, by the updates done or its .ckpt file";
const policyEnvHelp = "with --policy: the environment, where it is not the one that the file names";

/** The commands that play or hand out a trained policy. */
export function playCommands(program: Command): void {
  runs(
    program
      .command("evaluate")
      .description("play raw episodes with a run's newest policy, or an exported one")
      .option("--run-dir <folder>", "the run")
      .option("--policy <file>", policyHelp)
      .option("--env <id|module>", policyEnvHelp)
      .option("--checkpoint <update|file>", checkpointHelp)
      .option("--episodes <number>", "how many", count, 10)
      .option("--seed <number>", "root of the episodes' seeds", seed, 1)
      .option("--sample", "sample actions instead of the most likely ones")
      .option("--record <file>", "record the first episode: .webp, or with ffmpeg on this machine .mp4, .webm, .gif")
      .option("--size <WIDTHxHEIGHT>", sizeHelp, pictureSize, usualSize)
      .option("--fps <number>", fpsHelp, framesPerSecond, 30)
      .option("--force", "overwrite the recording's file")
      .option("--json", "one JSON object on stdout"),
    async (flags: EvaluateFlags) => {
      const { evaluateRun } = await import("./evaluate.ts");
      return evaluateRun(flags);
    },
  );

  runs(
    program
      .command("watch")
      .description(
        "play episodes without end for a page or program to show, with the run's newest policy (docs/policy.md)",
      )
      .option("--run-dir <folder>", "the run; newer policies are taken up as they appear")
      .option("--policy <file>", policyHelp)
      .option("--env <id|module>", policyEnvHelp)
      .option("--checkpoint <update|file>", checkpointHelp)
      .option("--fps <number>", fpsHelp, framesPerSecond, 30)
      .option("--size <WIDTHxHEIGHT>", sizeHelp, pictureSize, usualSize)
      .option("--fast", "as fast as this machine can instead")
      .option("--episodes <number>", "end after so many", count)
      .option("--seed <number>", "root of the episodes' seeds", seed, 1)
      .option("--sample", "sample actions instead of the most likely ones")
      .option("--json", "one JSON object per line on stdout, pictures among them"),
    async (flags: WatchFlags) => {
      const { watchPolicy } = await import("./watch.ts");
      return watchPolicy(flags);
    },
  );

  runs(
    program
      .command("export")
      .description("write a run's newest policy as an ONNX file")
      .requiredOption("--run-dir <folder>", "the run")
      .requiredOption("--output <file>", "where to write it")
      .option("--force", "overwrite an existing file"),
    async (flags: { runDir: string; output: string; force?: boolean }) => {
      const { exportPolicy } = await import("./exportPolicy.ts");
      return exportPolicy(flags);
    },
  );
}
