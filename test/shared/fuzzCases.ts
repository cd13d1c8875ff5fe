import { expect } from "vitest";
import { OperatorError } from "../../shared/errors.ts";

/** `npm run test:long` gives more cases and a new seed each time; what fails prints both, and fast-check its path. */
const many = Number(process.env.ANCHORAGE_FUZZ_CASES ?? "0");
const seed = many > 0 ? Number(process.env.ANCHORAGE_FUZZ_SEED ?? Date.now() % 2 ** 31) : 20261121;
if (many > 0) console.log(`fuzzing with ANCHORAGE_FUZZ_SEED=${seed} ANCHORAGE_FUZZ_CASES=${many}`);

/** How a property is tried: `usual` times in the short suite. */
export const cases = (usual: number) => ({ numRuns: many > 0 ? many : usual, seed, endOnFailure: false });

/** What is refused must be refused with an error for people; anything else would be a crash or a 500. */
export function refusesClearly(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    expect(error.problem.length).toBeLessThan(2_000);
  }
}
