import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, OperatorError } from "../shared/errors.ts";
import { Fingerprint } from "../shared/fingerprint.ts";
import { writeAtomically } from "./atomicFile.ts";

const LearnerRecord = z.object({
  memberId: z.string(),
  host: z.string(),
  pid: z.int(),
  address: z.string(),
  metricsPort: z.int(),
  fingerprint: Fingerprint,
});
export type LearnerRecord = z.infer<typeof LearnerRecord>;

/** What changes in a run and must outlive the coordinator. */
export const RunStateFile = z.object({
  state: z.enum(["RUNNING", "PAUSED", "STOPPING", "FINISHED", "FAILED"]),
  failure: z.string(),
  generation: z.int().nonnegative().describe("of the newest learner; on the disk before it is handed out"),
  learner: LearnerRecord.nullable(),
  fingerprints: z.object({ ACTOR: Fingerprint.nullable(), LEARNER: Fingerprint.nullable() }),
  differences: z.array(z.string()).describe("why the run is not reproducible; empty: it is"),
  weightsSha256: z.string().describe("once finished"),
  checkpointed: z.boolean().default(false).describe("a checkpoint was stored: a run without any now has lost them"),
});
export type RunStateFile = z.infer<typeof RunStateFile>;

export const freshState: RunStateFile = {
  state: "RUNNING",
  failure: "",
  generation: 0,
  learner: null,
  fingerprints: { ACTOR: null, LEARNER: null },
  differences: [],
  weightsSha256: "",
  checkpointed: false,
};

/** state.json: changes are on the disk before change() resolves, one after the other. */
export class RunState {
  readonly #path: string;
  #current: RunStateFile;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, current: RunStateFile) {
    this.#path = path;
    this.#current = current;
  }

  /** Throws CORRUPT if the file is damaged. */
  static async open(folder: string): Promise<RunState> {
    const path = join(folder, "state.json");
    try {
      return new RunState(path, RunStateFile.parse(JSON.parse(await readFile(path, "utf8"))));
    } catch (cause) {
      const problem = `${path} cannot be read: ${messageOf(cause)}.`;
      const remedy =
        "Restore the file from a backup, or start a new run; checkpoints/ and policy.onnx are still readable.";
      throw new OperatorError("CORRUPT", problem, remedy, { cause });
    }
  }

  get current(): Readonly<RunStateFile> {
    return this.#current;
  }

  /** Throws STORAGE; then nothing changed. `of` makes the new values from the current ones, in turn. */
  change(of: (now: Readonly<RunStateFile>) => Partial<RunStateFile>): Promise<void> {
    const done = this.#writing.then(async () => {
      const next = { ...this.#current, ...of(this.#current) };
      await writeAtomically(this.#path, `${JSON.stringify(next, null, 2)}\n`);
      this.#current = next;
    });
    this.#writing = done.catch(() => undefined); // the caller has the error; the next change must still run
    return done;
  }
}
