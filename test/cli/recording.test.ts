import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { makeEnvBatch } from "../../actor/environments.ts";
import { checkAnimationFile } from "../../cli/recording/animationFile.ts";
import { PolicyFile } from "../../coordinator/policyFile.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import { tinyPolicy } from "../actor/tinyPolicy.ts";
import { PythonPackages } from "../pythonPackages.ts";
import { run } from "../system/command.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "anchorage-recording-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The flags that evaluate a tiny policy on `env`. */
async function evaluate(env: string, more: readonly string[], envOptions = {}): Promise<string[]> {
  const runDir = mkdtempSync(join(folder, "run-"));
  const batch = await makeEnvBatch({ env, envOptions, size: 1 });
  batch.close();
  writeFileSync(join(runDir, "config.json"), JSON.stringify(resolveRunConfig({ env, envOptions })));
  await new PolicyFile(runDir).write(tinyPolicy(batch.spec, 0).bytes);
  return ["evaluate", "--run-dir", runDir, "--size", "96x72", ...more];
}

describe("anchorage evaluate --record FILE.webp", () => {
  it("holds the first episode at its own speed, and changes no result", async () => {
    const file = join(folder, "hopper.webp");
    const flags = await evaluate("Hopper-v4", ["--sample", "--episodes", "2"]);
    const plain = await run(flags);
    const recorded = await run([...flags, "--record", file]);
    expect(recorded.stderr).toBe(plain.stderr); // a line per episode, in the order in which they end
    expect(recorded.stdout).toBe(
      `${plain.stdout}${file}: episode 1 in ${recorded.stdout.match(/in (\d+) pict/)![1]} pictures\n`,
    );
    const length = Number(/episode 1: .* (\d+) agent steps/.exec(recorded.stderr)![1]);
    const { pages, delay, loop, width, pageHeight } = await sharp(file, { animated: true }).metadata();
    expect({ width, height: pageHeight, loop }).toEqual({ width: 96, height: 72, loop: 0 });
    expect(pages).toBe(Math.ceil(length / 4)); // 0.008 s a step, every fourth for about 30 a second
    expect(delay!.every((ms) => ms === 32)).toBe(true);
    expect(readdirSync(folder).filter((name) => name.includes("unfinished"))).toEqual([]);
  }, 60_000);

  it("shows the episode's first state first, an Atari game's pixels exactly and at twice their size", async () => {
    const file = join(folder, "pong.webp");
    const flags = await evaluate("Pong-v5", ["--episodes", "1", "--record", file, "--json"], { maxEpisodeSteps: 20 });
    const { stderr, events } = await run(flags);
    expect(stderr).toBe("");
    expect(events).toMatchObject([{ event: "evaluated", episodes: 1, recorded: file }]);
    expect((await sharp(file).metadata()).pages).toBe(20); // 15 agent steps a second: all are shown
    const { data, info } = await sharp(file, { page: 0 }).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([320, 420]);
    const at = (x: number, y: number) => [...data.subarray((y * 320 + x) * 3, (y * 320 + x) * 3 + 3)];
    expect(at(160, 120)).toEqual([144, 72, 17]); // the field, as ale-py's getScreenRGB gives it
    expect(at(160, 56)).toEqual([236, 236, 236]); // the upper wall
  }, 60_000);
});

const packages = new PythonPackages("imageio-ffmpeg", ["imageio-ffmpeg==0.6.0"]);

/** A PATH with the ffmpeg of a Python package on it, under its own name. */
function pathWithFfmpeg(): string {
  const binaries = join(packages.folder, "imageio_ffmpeg", "binaries");
  const binary = join(binaries, readdirSync(binaries).find((name) => name.startsWith("ffmpeg-"))!);
  chmodSync(binary, 0o755);
  const here = join(folder, "bin");
  mkdirSync(here, { recursive: true });
  if (!existsSync(join(here, "ffmpeg"))) symlinkSync(binary, join(here, "ffmpeg"));
  return `${here}:${process.env.PATH}`;
}

describe.skipIf(packages.missing !== null)(
  `with ffmpeg${packages.missing ? ` (skipped: ${packages.missing})` : ""}`,
  () => {
    it.each(["mp4", "webm", "gif"])(
      "writes a .%s that ffmpeg reads again, frame for frame",
      async (ending) => {
        const file = join(folder, `cart.${ending}`);
        const env = { PATH: pathWithFfmpeg() };
        const flags = await evaluate("CartPole-v1", ["--episodes", "1", "--size", "97x73", "--record", file, "--json"]);
        const { status, stderr, events } = await run(flags, { env });
        expect([status, stderr]).toEqual([0, ""]);
        const frames = Math.ceil((events[0]!.mean as number) / 2); // reward 1 a step; every second step is shown
        const back = [
          "-loglevel",
          "error",
          "-i",
          file,
          "-f",
          "rawvideo",
          "-pix_fmt",
          "rgb24",
          "-fps_mode",
          "passthrough",
          "-",
        ];
        const raw = execFileSync("ffmpeg", back, { env: { ...process.env, ...env }, maxBuffer: 2 ** 28 });
        const size = ending === "gif" ? 97 * 73 : 98 * 74; // even extents
        expect(raw.length / (size * 3)).toBe(frames);
        const corner = [...raw.subarray(0, 3)];
        for (const [i, channel] of [238, 242, 247].entries()) expect(Math.abs(corner[i]! - channel)).toBeLessThan(8);
      },
      60_000,
    );
  },
);

describe("bad input of --record is told before anything is played", () => {
  it.each([
    ["x.avi", /CONFIG.*--record .*x.avi ends in ".avi".*Name a .webp file/],
    ["x", /CONFIG.*ends in nothing/],
    ["nowhere/x.webp", /STORAGE.*nowhere.x.webp cannot be written.*Choose another --record/],
    ["folder.webp", /STORAGE.*folder.webp is there already.*--force/],
    ["x.mp4", /SETUP.*x.mp4 takes ffmpeg, which does not run here.*record to a .webp/],
  ])("%s", async (name, message) => {
    mkdirSync(join(folder, "folder.webp"), { recursive: true });
    vi.stubEnv("PATH", "/nowhere");
    await expect(checkAnimationFile(join(folder, name), false)).rejects.toThrow(message);
    vi.unstubAllEnvs();
  });

  it("a folder in the place of the file, also with --force; with it, a file may be there", async () => {
    await expect(checkAnimationFile(join(folder, "folder.webp"), true)).rejects.toThrow(
      /cannot be written: it is a fo/,
    );
    const file = join(folder, "old.webp");
    writeFileSync(file, "old");
    await checkAnimationFile(file, true);
    expect(readFileSync(file, "utf8")).toBe("old");
  });

  it("by the command line, with nothing played and nothing left behind", async () => {
    const drawing = "test/actor/fixtures/drawingEnvironment.ts";
    const none = await run(await evaluate(drawing, ["--record", join(folder, "none.webp")]));
    expect(none.stderr).toMatch(/draws no pictures.*render\(size\)/);
    expect([none.status, none.stdout, existsSync(join(folder, "none.webp"))]).toEqual([1, "", false]);
    const ending = await run(await evaluate("CartPole-v1", ["--record", join(folder, "x.avi")]));
    expect(ending.stderr).toMatch(/^anchorage: \[CONFIG\] --record .*\n$/);
    expect([ending.status, ending.stdout]).toEqual([2, ""]);
  });
});
