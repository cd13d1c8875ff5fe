import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { linkedSignal } from "../../shared/linkedSignal.ts";

describe("linkedSignal", () => {
  it("aborts with the first source's reason, at once where one is aborted already", () => {
    const [a, b] = [new AbortController(), new AbortController()];
    const { signal } = linkedSignal(a.signal, b.signal);
    expect(signal.aborted).toBe(false);
    b.abort("b");
    a.abort("a");
    expect(signal.reason).toBe("b");
    expect(linkedSignal(a.signal).signal.reason).toBe("a");
  });

  it("leaves nothing behind in a source that lives on", () => {
    const source = new AbortController().signal;
    for (let i = 0; i < 1000; i++) linkedSignal(source, new AbortController().signal).release();
    expect(heldBy(source)).toBe(0);
  });
});

/** Listeners, and the entries that AbortSignal.any makes. */
function heldBy(source: AbortSignal): number {
  const dependants = Object.getOwnPropertySymbols(source).find(
    ({ description }) => description === "kDependantSignals",
  );
  const entries =
    dependants && (source as unknown as Record<symbol, { readonly size: number } | undefined>)[dependants];
  return getEventListeners(source, "abort").length + (entries?.size ?? 0);
}
