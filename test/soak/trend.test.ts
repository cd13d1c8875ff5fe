import { spawn } from "node:child_process";
import { describe, expect, it } from "vitest";
import { processUse } from "./processUse.ts";
import { growth, type Series, secondHalf, slopePerHour } from "./trend.ts";

/** MiB of resident memory as a collected heap shows it: a saw of 40, steps, now and then a peak; 30 minutes, every 5 s. */
function saw(leakPerHour: number): Series {
  let random = 12345;
  const next = (): number => {
    random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
    return random / 2 ** 31;
  };
  return Array.from({ length: 360 }, (_, i) => {
    const peak = next() < 0.1 ? 300 * next() : 0;
    return [i * 5, 500 + (i % 23) * (40 / 23) + 8 * next() + peak + (leakPerHour * i * 5) / 3600];
  });
}

describe("the soak's judge", () => {
  it("gives the slope of a line in units per hour", () => {
    // 2 more every 10 s: 720 an hour
    expect(
      slopePerHour([
        [0, 5],
        [10, 7],
        [20, 9],
        [30, 11],
      ]),
    ).toBeCloseTo(720, 9);
  });

  it("does not look at the first half, where a process gets ready", () => {
    const series: Series = [
      [0, 0],
      [10, 100],
      [20, 200],
      [30, 200],
      [40, 200],
    ];
    expect(secondHalf(series).length).toBe(3);
    expect(growth(series, 0).grows).toBe(false);
  });

  it("passes a heap that is collected, peaks and all, and finds a leak of 100 MiB an hour under it", () => {
    const bound = 60;
    expect(growth(saw(0), bound).grows).toBe(false);
    expect(growth(saw(100), bound).grows).toBe(true);
    expect(growth(saw(100), bound).perHour).toBeGreaterThan(75);
    expect(growth(saw(100), bound).perHour).toBeLessThan(125);
  });

  it("refuses to judge what it has not seen", () => {
    expect(() => growth([[0, 1]], 1)).toThrow("a series of 1 points has no trend");
  });

  it.each([
    [
      "leaks 64 KiB and a file every 10 ms",
      "kept.push(Buffer.alloc(65536, 1)); files.push(fs.openSync(process.execPath));",
      true,
    ],
    ["leaks nothing", "files.push(fs.openSync(process.execPath)); fs.closeSync(files.pop());", false],
  ])("sees of a real process that it %s", async (_name, code, leaks) => {
    // It tells every fifth turn, and its turns are the time: a busy machine slows the leak and its clock alike.
    const program = `const fs = require("fs"); const kept = [], files = []; let turns = 0;
      setInterval(() => { ${code} if (++turns % 5 === 0) process.stdout.write("."); }, 10);`;
    const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      const memory: [number, number][] = [];
      const files: [number, number][] = [];
      let seconds = 0;
      for await (const told of child.stdout!) {
        seconds += (told as Buffer).length * 5 * 0.01;
        const use = processUse(child.pid!)!;
        memory.push([seconds, use.residentMiB]);
        files.push([seconds, use.files]);
        if (memory.length === 30) break;
      }
      // 6.25 MiB in a second of turns are 22 000 MiB an hour; a fresh process settles by less than a tenth of that
      expect(growth(memory, 5_000).grows).toBe(leaks);
      expect(growth(files, 1_000).grows).toBe(leaks);
    } finally {
      child.kill("SIGKILL");
    }
  });
});
