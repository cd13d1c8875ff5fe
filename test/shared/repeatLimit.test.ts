import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RepeatLimit } from "../../shared/repeatLimit.ts";

const minute = 60_000;

describe("RepeatLimit", () => {
  let written: string[];
  let limit: RepeatLimit;
  const messages = (): string[] => written.map((line) => (JSON.parse(line) as { msg: string }).msg);
  const log = (msg: string, level = "warn", component = "actor"): void =>
    limit.add(`${JSON.stringify({ level, component, msg })}\n`);

  beforeEach(() => {
    vi.useFakeTimers();
    written = [];
    limit = new RepeatLimit({ write: (line) => void written.push(line), alike: 2, all: 6 });
  });
  afterEach(() => vi.useRealTimers());

  it("writes the first lines of a kind as they are, then one count a minute with the last one's words", () => {
    for (let i = 1; i <= 7; i++) log(`attempt ${i} at 127.0.0.1:7400 failed`);
    expect(messages()).toEqual(["attempt 1 at 127.0.0.1:7400 failed", "attempt 2 at 127.0.0.1:7400 failed"]);
    vi.advanceTimersByTime(minute);
    expect(messages().slice(2)).toEqual([
      "5 more lines like this one were held back: attempt 7 at 127.0.0.1:7400 failed",
    ]);
    log("attempt 8 at 127.0.0.1:7400 failed"); // a new minute
    expect(messages().at(-1)).toBe("attempt 8 at 127.0.0.1:7400 failed");
  });

  it("tells kinds apart by level, component and words, not by numbers and ids", () => {
    log("actor actor-1f3a left");
    log("actor actor-22bc left");
    log("actor actor-9d0e left");
    log("actor actor-9d0e joined");
    log("actor actor-9d0e left", "error");
    log("actor actor-9d0e left", "warn", "learner");
    expect(written.length).toBe(5);
  });

  it("bounds the lines of all kinds together, and counts the ones beyond", () => {
    for (const word of ["a", "b", "c", "d", "e", "f", "g", "h"]) log(`peer said x${word}x`.replace(/[a-f]/g, "y$&y"));
    for (let i = 0; i < 1000; i++) log(`peer said ${"z".repeat(i % 100)}`);
    expect(written.length).toBe(6);
    vi.advanceTimersByTime(minute);
    expect(messages().at(-1)).toBe("1002 more lines of other kinds were held back");
  });

  it("holds back neither a process's last words nor what was asked for with debug", () => {
    for (let i = 0; i < 20; i++) log("x", "fatal");
    for (let i = 0; i < 20; i++) log("x", "debug");
    expect(written.length).toBe(40);
  });

  it("says nothing at a minute's end where nothing was held back, and keeps no timer then", () => {
    log("once");
    vi.advanceTimersByTime(minute);
    expect(messages()).toEqual(["once"]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
