import { readFileSync } from "node:fs";
import { messageOf, OperatorError } from "./errors.ts";

/**
 * A secret from a file, without the line end. Settings name files and never hold secrets: what is on a command line or in
 * a config can be read by others. Throws CONFIG, naming the file and never what is in it.
 */
export function readSecret(setting: string, file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (cause) {
    const problem = `${setting}=${file} cannot be read: ${messageOf(cause)}.`;
    throw new OperatorError("CONFIG", problem, "Give the path of a file that holds the secret.", { cause });
  }
  if (text !== "") return text;
  throw new OperatorError("CONFIG", `${setting}=${file} is empty.`, "Give the path of a file that holds the secret.");
}
