import { PythonPackages } from "../pythonPackages.ts";

let packages: PythonPackages | null = null;
const here = (): PythonPackages => {
  packages ??= new PythonPackages("safetensors", ["safetensors==0.6.2", "numpy"]);
  return packages;
};

/** Why Python's safetensors cannot be asked here, with pip's words; null: it can. Installed on the first call. */
export const missingSafetensors = (): string | null => here().missing;

/** What a program with safetensors and numpy prints. */
export function pythonPrints(program: string, args: readonly string[], cwd?: string): string {
  return here().prints(program, args, cwd);
}
