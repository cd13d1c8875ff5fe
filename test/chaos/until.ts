import { setTimeout as delay } from "node:timers/promises";

/** Resolves when `holds` does; throws after `timeoutMs`, naming what was waited for. */
export async function until(what: string, holds: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
    await delay(100);
  }
}
