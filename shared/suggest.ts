import { closest, distance } from "fastest-levenshtein";

/** `Did you mean "x"? ` for a mistyped name, or "" where nothing known is near. */
export function didYouMean(given: string, known: readonly string[]): string {
  if (known.length === 0) return "";
  const nearest = closest(
    given.toLowerCase(),
    known.map((name) => name.toLowerCase()),
  );
  const name = known.find((candidate) => candidate.toLowerCase() === nearest)!;
  const near = distance(given.toLowerCase(), nearest) <= Math.max(2, Math.floor(given.length / 3));
  return near ? `Did you mean "${name}"? ` : "";
}
