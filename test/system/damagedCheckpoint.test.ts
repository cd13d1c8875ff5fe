import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { done, run, start, temporaryFolder } from "./command.ts";

const flags = ["--env", "CartPole-v1", "--total-steps", "81920", "--actors", "1"]; // 80 updates: Ctrl-C comes long before the end
const kept = { ANCHORAGE_CHECKPOINTS_KEPT: "6" };
const flip = (file: string): void => {
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(file, bytes);
};
const emptyFolder = (folder: string): void => {
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
};
/** One for each of the newest checkpoints. */
const damages: readonly ((file: string) => void)[] = [
  flip,
  (file) => truncateSync(file, 1000),
  (file) => truncateSync(file, 0),
  (file) => {
    rmSync(file);
    mkdirSync(file);
  },
];

describe("a stopped run", () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());
  const at = (name: string): string => join(folder.path, name);
  const train = (name: string): string[] => ["train", "--json", "--run-dir", at(name)];
  const stored = (name: string): string[] =>
    readdirSync(join(at(name), "checkpoints"))
      .filter((file) => file.endsWith(".ckpt"))
      .sort()
      .map((file) => join(at(name), "checkpoints", file));
  let weights: string;

  beforeAll(async () => {
    weights = done(await run([...train("undisturbed"), ...flags])).weightsSha256;
    const stopped = start([...train("stopped"), ...flags], { env: { ...kept, ANCHORAGE_CHECKPOINT_EVERY: "1" } });
    await stopped.event(({ event, update }) => event === "update" && Number(update) >= 6);
    stopped.process.kill("SIGINT");
    expect((await stopped.finished).status).toBe(130);
    expect(stored("stopped").length).toBeGreaterThanOrEqual(5);
  }, 300_000);

  it("whose newest checkpoints have a bit flipped, are cut off, are empty, are a folder, goes on from the one before, says so, and ends with the same weights", async () => {
    cpSync(at("stopped"), at("damaged"), { recursive: true });
    const files = stored("damaged");
    const update = (file: string | undefined): number => Number.parseInt(basename(file!), 10);
    for (const [i, damage] of damages.entries()) damage(files.at(-1 - i)!);
    const resumed = await run([...train("damaged"), "--resume"], { env: kept });
    expect(done(resumed).weightsSha256).toBe(weights);
    expect(resumed.events).toContainEqual(expect.objectContaining({ event: "checkpoint_damaged", count: 4 }));
    expect(resumed.stderr).toContain(
      `after update ${update(files.at(-1))} is DAMAGED: going on from the one after ${update(files.at(-5))}`,
    );
    const left = readdirSync(join(at("damaged"), "checkpoints"));
    const aside = files.slice(-3).map((file) => `${basename(file)}.damaged`); // three are kept to be looked at
    expect(left.filter((name) => name.endsWith(".ckpt.damaged")).sort()).toEqual(aside);
  }, 300_000);

  it.each<[string, (files: string[]) => void]>([
    ["are all damaged", (files) => files.forEach(flip)],
    ["are all gone", (files) => emptyFolder(dirname(files[0]!))],
  ])(
    "whose checkpoints %s is refused: never a fresh start",
    async (what, damage) => {
      const name = what.replaceAll(" ", "-");
      cpSync(at("stopped"), at(name), { recursive: true });
      damage(stored(name));
      const metrics = readFileSync(join(at(name), "metrics.jsonl"), "utf8");
      const refused = await run([...train(name), "--resume"], { env: kept });
      expect(refused.status).not.toBe(0);
      expect(refused.stderr).toMatch(/\[CORRUPT\] (Every checkpoint in|Checkpoints of this run were stored)/);
      expect(refused.events.some(({ event }) => event === "update")).toBe(false);
      expect(readFileSync(join(at(name), "metrics.jsonl"), "utf8")).toBe(metrics);
    },
    300_000,
  );
});
