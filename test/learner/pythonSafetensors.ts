import { execFileSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const cache = process.env.ANCHORAGE_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "anchorage");
const python = process.env.ANCHORAGE_PYTHON || "python3";
const packages = join(cache, "python-safetensors");

/** Why Python's safetensors cannot be asked here, with pip's words; null: it can. Installed on the first call. */
export function missingSafetensors(): string | null {
  try {
    if (!existsSync(packages))
      execFileSync(python, ["-m", "pip", "install", "-q", "--target", packages, "safetensors==0.6.2", "numpy"], {
        stdio: "pipe",
        timeout: 100_000,
      });
    return null;
  } catch (error) {
    rmSync(packages, { recursive: true, force: true });
    return `${python} has no safetensors and pip cannot get it: ${String((error as Error).message).slice(0, 300)}`;
  }
}

/** What a program with safetensors and numpy prints. */
export function pythonPrints(program: string, args: readonly string[], cwd?: string): string {
  const env = { ...process.env, PYTHONPATH: packages };
  return execFileSync(python, ["-c", program, ...args], { env, cwd, encoding: "utf8" });
}
