import { execa } from "execa";
import { expect, it } from "vitest";
import { projectRoot } from "../../shared/nativeParts.ts";

it.each(["-1", "1.5", "abc", ""])("refuses the chaos seed '%s' before it does anything", async (seed) => {
  const ran = await execa("node", ["scripts/test.mjs", "--chaos"], {
    cwd: projectRoot,
    env: { ANCHORAGE_CHAOS_SEED: seed },
    reject: false,
  });
  expect(ran.exitCode).toBe(1);
  expect(ran.stderr.trim()).toBe(
    `error: ANCHORAGE_CHAOS_SEED is "${seed}", which is no seed: give a non-negative integer, or leave it out.`,
  );
  expect(ran.stdout).toBe("");
});
