import { existsSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Debian's package `faketime` puts it below /usr/lib/<machine>/faketime. */
function library(): string | null {
  for (const folder of ["/usr/lib", ...readdirSync("/usr/lib").map((name) => join("/usr/lib", name))]) {
    const file = join(folder, "faketime", "libfaketimeMT.so.1"); // MT: for processes with threads
    if (existsSync(file)) return file;
  }
  return null;
}

/** null: clocks can be moved here; else why not. */
export function noFakeClock(): string | null {
  return process.platform === "linux" && library() !== null ? null : "libfaketime is not installed (package faketime)";
}

/** The wall clock of some processes; their monotonic clock goes on as it is, as on a machine whose clock is set. */
export class FakeClock {
  readonly #file: string;

  /** `file`: a path of its own, for the offset. */
  constructor(file: string) {
    this.#file = file;
    this.set(0);
  }

  /** From now on these processes read the real time plus `seconds`. */
  set(seconds: number): void {
    const next = `${this.#file}.next`;
    writeFileSync(next, `${seconds < 0 ? "" : "+"}${seconds}s\n`);
    renameSync(next, this.#file); // never half-written
  }

  /** Variables for a process that is to read this clock. */
  get env(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: library() ?? "",
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_CACHE_DURATION: "1", // seconds until a new offset is seen; to look at each call is slow
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
  }
}
