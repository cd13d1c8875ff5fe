import { expect, it } from "vitest";
import { buildId, packageVersion } from "../../shared/build.ts";
import { type Fingerprint, fingerprint, fingerprintDifferences, parseFingerprint } from "../../shared/fingerprint.ts";

const learner = { device: "cpu", threads: 1, onednn: false, tensorflow: "2.21.0" };

it("describes this machine and process", () => {
  const actor = fingerprint(null);
  expect(actor).toMatchObject({
    build: buildId(),
    node: process.version,
    arch: process.arch,
    platform: process.platform,
    learner: null,
  });
  expect(actor.cpu.length).toBeGreaterThan(0);
  if (process.arch === "x64" && process.platform === "linux") expect(actor.cpuFlags).toContain("sse4_2");
  if (process.platform === "linux") expect(actor.libc).toMatch(/^(glibc \d|musl)/);
  expect(buildId().startsWith(packageVersion)).toBe(true);
});

it("survives the wire, and refuses what is none", () => {
  const sent = fingerprint(learner);
  expect(parseFingerprint(JSON.stringify(sent))).toEqual(sent);
  for (const bad of ["", "{}", '{"cpu":1}', "null"])
    expect(() => parseFingerprint(bad)).toThrow(/\[CORRUPT\] The fingerprint/);
});

it("names every difference with both values, and nothing else", () => {
  const here = fingerprint(learner);
  expect(fingerprintDifferences(here, here)).toEqual([]);
  const there: Fingerprint = {
    ...here,
    node: "v1.0.0",
    cpuFlags: [...here.cpuFlags, "avx9"],
    learner: { ...learner, threads: 2 },
  };
  expect(fingerprintDifferences(here, there)).toEqual([
    `node: ${here.node} against v1.0.0`,
    "cpuFlags: none more against avx9",
    "learner threads: 1 against 2",
  ]);
});

it("names an objective of one's own that changed, came or went", () => {
  const [before, after] = ["sha256 ab", "sha256 cd"].map((objective) => fingerprint({ ...learner, objective }));
  expect(fingerprintDifferences(before!, before!)).toEqual([]);
  expect(fingerprintDifferences(before!, after!)).toEqual(["learner objective: sha256 ab against sha256 cd"]);
  expect(fingerprintDifferences(before!, fingerprint(learner))).toEqual(["learner objective: sha256 ab against none"]);
});

it("compares an actor with a learner by what both have", () => {
  expect(fingerprintDifferences(fingerprint(null), fingerprint(learner))).toEqual([]);
});
