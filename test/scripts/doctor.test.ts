import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { projectRoot } from "../../shared/nativeParts.ts";

interface Report {
  readonly ok: boolean;
  readonly device: string;
  readonly deviceReason: string;
  readonly parts: readonly { readonly name: string; readonly state: string; readonly remedy: string }[];
}

const doctor = async (root: string, env: Record<string, string> = {}) => {
  const run = await execa(process.execPath, [join(root, "scripts", "doctor.mjs"), "--json"], { env, reject: false });
  return { status: run.exitCode, report: JSON.parse(run.stdout) as Report };
};

describe("npm run doctor", () => {
  it("finds every part after set-up, each one loaded for real", async () => {
    const { status, report } = await doctor(projectRoot);
    expect(report.parts.filter((part) => part.state !== "ok" && part.state !== "left out")).toEqual([]);
    expect(report.parts.map((part) => part.name)).toContain("NATS server");
    expect({ ok: report.ok, status }).toEqual({ ok: true, status: 0 });
  });

  it("says what to do about what is missing, and ends with status 1, where nothing was set up", async () => {
    const copy = mkdtempSync(join(tmpdir(), "anchorage-doctor-"));
    await execa("cp", ["-r", "scripts", "package.json", "package-lock.json", copy], { cwd: projectRoot });
    const { status, report } = await doctor(copy, { ANCHORAGE_DEVICE: "cpu", ANCHORAGE_WITHOUT_ATARI: "1" });
    rmSync(copy, { recursive: true });
    const states = Object.fromEntries(report.parts.map((part) => [part.name, `${part.state}: ${part.remedy}`]));
    expect(states).toMatchObject({
      "npm packages": "missing: npm run setup",
      "TensorFlow for CPU (ANCHORAGE_DEVICE=cpu)": "missing: npm run setup",
      "Atari (ALE)": "left out: ANCHORAGE_WITHOUT_ATARI is set",
      "mujoco addon": "missing: npm run setup",
      "NATS server": "missing: npm run setup",
    });
    expect({ ok: report.ok, status }).toEqual({ ok: false, status: 1 });
  });
});
