import { setTimeout as delay } from "node:timers/promises";

/**
 * Resolves when `holds` does; throws after `timeoutMs`, naming what was waited for. The default is long on purpose: on a
 * machine with forty runnable processes a fleet took over a minute to store its first checkpoint.
 */
export async function until(what: string, holds: () => Promise<boolean>, timeoutMs = 240_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
    await delay(100);
  }
}
