import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A child process that answers each line with one line of JSON: work in turns with it, without its start-up each time. */
export class LineProcess {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async ask<T>(line: string): Promise<T> {
    this.#child.stdin!.write(`${line}\n`);
    const answer = await this.#answers.next();
    if (answer.done) throw new Error(`${this.#child.spawnargs.join(" ")} ended without an answer`);
    return JSON.parse(answer.value) as T;
  }

  close(): void {
    this.#child.stdin!.end();
  }
}
