import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectRoot } from "../../shared/nativeParts.ts";

/** A copy of the sources in which a gate's prey can be planted. */
let copy: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "anchorage-gates-"));
  const names =
    "actor learner coordinator shared native proto page cli scripts deploy biome.json package.json tsconfig.json";
  for (const name of names.split(" ")) cpSync(join(projectRoot, name), join(copy, name), { recursive: true });
  symlinkSync(join(projectRoot, "node_modules"), join(copy, "node_modules"));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** Lints planted files, alone, and gives what Biome says; the files are gone afterwards. */
async function lintPlanted(
  planted: Record<string, string>,
): Promise<{ readonly status: number; readonly said: string }> {
  const paths = Object.keys(planted);
  for (const path of paths) writeFileSync(join(copy, path), planted[path]!);
  const run = await execa("node_modules/.bin/biome", ["lint", ...paths], { cwd: copy, reject: false, all: true });
  for (const path of paths) rmSync(join(copy, path));
  return { status: run.exitCode ?? -1, said: run.all };
}

describe("Biome refuses", () => {
  const forbidden: readonly (readonly [string, string, string])[] = [
    ["the actor importing the learner", "actor/planted.ts", "../learner/gae.ts"],
    ["the learner importing the actor", "learner/planted.ts", "../actor/policy.ts"],
    ["the learner importing native code", "learner/planted.ts", "../native/envBatch.ts"],
    ["the learner's subfolder importing the coordinator", "learner/objectives/planted.ts", "../../coordinator/main.ts"],
    ["the coordinator importing the learner", "coordinator/planted.ts", "../learner/gae.ts"],
    ["shared importing a process", "shared/planted.ts", "../actor/policy.ts"],
    ["the wire importing shared", "proto/planted.ts", "../shared/errors.ts"],
    ["native importing the actor", "native/planted.ts", "../actor/policy.ts"],
    ["the page importing what only Node can load", "page/planted.ts", "../shared/log.ts"],
    ["the page importing Node's own modules", "page/planted.ts", "node:fs"],
    ["TensorFlow in the actor", "actor/planted.ts", "@tensorflow/tfjs-node"],
    ["ONNX in the learner", "learner/planted.ts", "onnxruntime-node"],
    ["NATS outside the publisher and the receiver", "learner/planted.ts", "@nats-io/nats-core"],
    ["proto-loader outside proto/load.ts", "shared/planted.ts", "@grpc/proto-loader"],
  ];
  it.each(forbidden)("%s", async (_, path, specifier) => {
    const { status, said } = await lintPlanted({
      [path]: `import * as found from "${specifier}";\nconsole.log(found);\n`,
    });
    expect(said).toContain("lint/style/noRestrictedImports");
    expect(status).toBe(1);
  });

  it("a forbidden import of a type alone", async () => {
    const { status, said } = await lintPlanted({
      "actor/planted.ts": 'import type { GaeInput } from "../learner/gae.ts";\nexport type Planted = GaeInput;\n',
    });
    expect(said).toContain("lint/style/noRestrictedImports");
    expect(status).toBe(1);
  });

  it("an import cycle", async () => {
    const { status, said } = await lintPlanted({
      "shared/plantedOne.ts": 'import { two } from "./plantedTwo.ts";\nexport const one = () => two;\n',
      "shared/plantedTwo.ts": 'import { one } from "./plantedOne.ts";\nexport const two = () => one;\n',
    });
    expect(said).toContain("lint/suspicious/noImportCycles");
    expect(status).toBe(1);
  });

  it("a function of 61 lines, but not one of 60", async () => {
    const ofLines = (count: number) =>
      `export function planted(x: number[]): void {\n${"  x.pop();\n".repeat(count)}}\n`;
    const tooLong = await lintPlanted({ "shared/planted.ts": ofLines(61) });
    expect(tooLong.said).toContain("lint/complexity/noExcessiveLinesPerFunction");
    expect(tooLong.status).toBe(1);
    expect((await lintPlanted({ "shared/planted.ts": ofLines(60) })).status).toBe(0);
  });

  it("a file of 301 lines, but not one of 300", async () => {
    const ofLines = (count: number) =>
      Array.from({ length: count }, (_, i) => `export const planted${i} = ${i};\n`).join("");
    const tooLong = await lintPlanted({ "shared/planted.ts": ofLines(301) });
    expect(tooLong.said).toContain("lint/style/noExcessiveLinesPerFile");
    expect(tooLong.status).toBe(1);
    expect((await lintPlanted({ "shared/planted.ts": ofLines(300) })).status).toBe(0);
  });

  it("a promise that nobody waits for, and any", async () => {
    const floating = "const wait = async (): Promise<void> => {};\nexport function planted(): void {\n  wait();\n}\n";
    expect((await lintPlanted({ "shared/planted.ts": floating })).said).toContain("lint/nursery/noFloatingPromises");
    const anything = "export const planted = (x: any): unknown => x;\n";
    expect((await lintPlanted({ "shared/planted.ts": anything })).said).toContain("lint/suspicious/noExplicitAny");
  });
});

describe("npm run check", () => {
  const check = (...gates: string[]) => execa("node", ["scripts/check.mjs", ...gates], { cwd: copy, reject: false });

  it("names the gate that failed and ends with status 1", async () => {
    writeFileSync(join(copy, "shared", "planted.ts"), 'export const planted: number = "one";\n');
    const run = await check("types", "proto");
    rmSync(join(copy, "shared", "planted.ts"));
    expect(run.stdout).toMatch(/check types: FAILED/);
    expect(run.stdout).toContain("shared/planted.ts(1,14)");
    expect(run.stdout).toMatch(/check proto: ok/);
    expect(run.exitCode).toBe(1);
  });

  it("sees a .proto file that changed without its types", async () => {
    const file = join(copy, "proto", "anchorage", "v1", "tensor.proto");
    const before = readFileSync(file, "utf8");
    writeFileSync(file, before.replace(/^message Tensor \{/m, "message Tensor {\n  int32 planted = 99;"));
    const run = await check("proto");
    writeFileSync(file, before);
    expect(run.stdout).toContain(
      "proto/gen/anchorage/v1/Tensor.ts is not what the .proto files give. Run: npm run proto",
    );
    expect(run.exitCode).toBe(1);
    expect((await check("proto")).exitCode).toBe(0);
  });

  it("sees a dashboard that changed without its JSON", async () => {
    const file = join(copy, "deploy", "observability", "dashboards", "learning.ts");
    const before = readFileSync(file, "utf8");
    writeFileSync(file, before.replace('title: "Entropy"', 'title: "Planted"'));
    const run = await check("dashboards");
    writeFileSync(file, before);
    expect(run.stdout).toContain(
      "anchorage-learning.json is not what deploy/observability/dashboards/ gives. Run: node scripts/generateDashboards.mjs",
    );
    expect(run.exitCode).toBe(1);
    expect((await check("dashboards")).exitCode).toBe(0);
  });

  it("refuses a gate that does not exist", async () => {
    const run = await check("speling");
    expect(run.stderr).toContain("No gate is called speling. There are: biome, types, knip, proto, dashboards.");
    expect(run.exitCode).toBe(1);
  });
});
