import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { z } from "zod";
import { DeployConfig } from "../../shared/deployConfig.ts";
import { projectRoot } from "../../shared/nativeParts.ts";
import { presets } from "../../shared/presets.ts";
import { RunConfig } from "../../shared/runConfig.ts";

type Page = (of: { RunConfig: z.ZodType; DeployConfig: z.ZodType; presets: object }) => string;
const generator = pathToFileURL(join(projectRoot, "scripts", "generateConfigDocs.mjs")).href;
const { configurationPage } = (await import(generator)) as { configurationPage: Page };

it("docs/configuration.md is what the schemas say (else: npm run build && node scripts/generateConfigDocs.mjs)", async () => {
  const committed = await readFile(join(projectRoot, "docs", "configuration.md"), "utf8");
  expect(committed).toBe(configurationPage({ RunConfig, DeployConfig, presets }));
});

it("writes types, ranges, defaults and presets as people read them", () => {
  const page = configurationPage({
    RunConfig: z.strictObject({
      rate: z.number().gt(0).max(1).default(0.5).describe("share | part"),
      lag: z.union([z.literal(0), z.literal("async")]).default(0),
      name: z.string(),
      network: z.discriminatedUnion("kind", [
        z.strictObject({
          kind: z.literal("mlp").describe("dense"),
          units: z.int().positive().default(8).describe("wide"),
        }),
      ]),
    }),
    DeployConfig: z.strictObject({ leaseSeconds: z.number().positive().nullable().default(null) }),
    presets: { fast: { rate: 1 } },
  });
  expect(page).toContain("| `rate` | number in (0, 1] | `0.5` | `1` | share \\| part |");
  expect(page).toContain("| `lag` | `0` or `async` | `0` |  |  |");
  expect(page).toContain("| `name` | text | required |  |  |");
  expect(page).toContain("| `network.units` | integer > 0 | `8` | wide |");
  expect(page).toContain("| `leaseSeconds` | `ANCHORAGE_LEASE_SECONDS` | number > 0 or null | `null` |  |");
});
