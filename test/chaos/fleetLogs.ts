import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ProcessName } from "./fleetLaunch.ts";

/** What the processes of a fleet said: logs/NAME.log in its folder. */
export class FleetLogs {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The end of a process's log: what it said last. */
  tail(name: ProcessName, characters = 1_500): string {
    const file = join(this.#folder, "logs", `${name}.log`);
    return existsSync(file) ? readFileSync(file, "utf8").slice(-characters) : "";
  }

  tails(names: Iterable<ProcessName>): string {
    return [...names].map((name) => `\n--- ${name}:\n${this.tail(name)}`).join("");
  }

  /** Whether a coordinator of this run ever had a process of this pid as its member. */
  registered(pid: number): boolean {
    return this.tail("coordinator", Number.POSITIVE_INFINITY).includes(`"pid":${pid},`);
  }
}
