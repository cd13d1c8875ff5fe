import type { ChildProcess } from "node:child_process";
import { constants, setPriority } from "node:os";

/** Starts this program's command line, stdout and stderr as pipes. Passed in by the command line, which knows itself. */
export type Launch = (args: readonly string[]) => ChildProcess;

/** A picture of a robot is some 20 KB; what is longer than this is not ours. */
const longestLine = 4 * 1024 * 1024;
const killAfterMs = 3_000;
const keptErrors = 2_000; // characters

/** A child of the page's whose stdout is lines: at a lower priority than what trains, and bounded. */
export class ChildLines {
  readonly #child: ChildProcess;
  #rest: Buffer[] = [];
  #restBytes = 0;
  #errors = "";
  #kill: NodeJS.Timeout | null = null;

  /** `onEnd` is told once, with what it said of its failure; "": it ended in good order. */
  constructor(
    launch: Launch,
    args: readonly string[],
    onLine: (line: string) => void,
    onEnd: (problem: string) => void,
  ) {
    this.#child = launch(args);
    if (this.#child.pid !== undefined) beNice(this.#child.pid);
    this.#child.stdout?.on("data", (data: Buffer) => this.#take(data, onLine));
    this.#child.stderr?.on("data", (data: Buffer) => {
      this.#errors = (this.#errors + data.toString("utf8")).slice(-keptErrors);
    });
    let told = false;
    const end = (problem: string): void => {
      if (this.#kill !== null) clearTimeout(this.#kill);
      if (!told) onEnd(problem);
      told = true;
    };
    this.#child.once("error", (error) => end(`It cannot be started: ${error.message}.`));
    this.#child.once("close", (status, signal) => {
      const asked = signal === "SIGTERM" || signal === "SIGKILL";
      end(status === 0 || asked ? "" : (this.#lastError ?? `It ended with ${signal ?? `status ${status}`}.`));
    });
  }

  /** Asks it to end; kills it where it does not. */
  stop(): void {
    this.#child.kill("SIGTERM");
    this.#kill ??= setTimeout(() => this.#child.kill("SIGKILL"), killAfterMs);
    this.#kill.unref();
  }

  get #lastError(): string | undefined {
    const lines = this.#errors.split("\n").filter((line) => line.trim() !== "");
    return (lines.findLast((line) => line.startsWith("anchorage: ")) ?? lines.at(-1))?.replace(/^anchorage: /, "");
  }

  #take(data: Buffer, onLine: (line: string) => void): void {
    let from = 0;
    for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10, from)) {
      const line = Buffer.concat([...this.#rest, data.subarray(from, end)]);
      this.#rest = [];
      this.#restBytes = 0;
      from = end + 1;
      onLine(line.toString("utf8"));
    }
    if (from === data.length) return;
    this.#rest.push(data.subarray(from));
    this.#restBytes += data.length - from;
    if (this.#restBytes <= longestLine) return;
    this.#errors = `A line of more than ${longestLine} bytes.`;
    this.#child.kill("SIGKILL");
  }
}

/** Whoever looks must not slow the training: the child gets what is left over. */
function beNice(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // ESRCH: gone already, its end says why
  }
}
