import { execFileSync } from "node:child_process";
import { existsSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** What tests fetch once per machine. */
export const testCache =
  process.env.ANCHORAGE_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "anchorage");
const python = process.env.ANCHORAGE_PYTHON || "python3";

/** Packages from pip, fetched once per machine into a folder of their own. */
export class PythonPackages {
  readonly folder: string;
  readonly missing: string | null; // why they are not here, with pip's words; null: they are

  /** `name`: of the folder, which belongs to these requirements for good. */
  constructor(name: string, requirements: readonly string[]) {
    this.folder = join(testCache, `python-${name}`);
    this.missing = existsSync(this.folder) ? null : this.#install(requirements);
  }

  /** Beside its place first: other tests may look at the same time. */
  #install(requirements: readonly string[]): string | null {
    const beside = `${this.folder}.${process.pid}`;
    const pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", beside];
    try {
      execFileSync(python, [...pip, ...requirements], { stdio: "pipe", timeout: 240_000 });
      if (!existsSync(this.folder)) renameSync(beside, this.folder);
      return null;
    } catch (error) {
      const why = String((error as Error).message).slice(0, 300);
      return `${python} has no ${requirements.join(", ")} and pip cannot get it: ${why}`;
    } finally {
      rmSync(beside, { recursive: true, force: true });
    }
  }

  /** What a program with these packages prints. */
  prints(program: string, args: readonly string[], cwd?: string): string {
    const env = { ...process.env, PYTHONPATH: this.folder };
    return execFileSync(python, ["-c", program, ...args], { env, cwd, encoding: "utf8" });
  }
}
