import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../shared/nativeParts.ts";

export const docsPage = (name: string): string => readFileSync(join(projectRoot, name), "utf8");

/** The fenced blocks of a page in one language, without their fences. */
export function blocks(page: string, language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, text]) => text!);
}

/** What a page has under a heading, up to the next one. */
export function section(page: string, heading: string): string {
  const [, text] = page.split(`\n## ${heading}\n`) as [string, string];
  return text.split("\n## ")[0]!;
}

/** Commands with something of ours as an argument in a page's text: the words after `program`, as of `commandsOf`. */
export function inlineCommands(page: string, program: string): string[][] {
  const spans = [...page.matchAll(new RegExp(`\`${program} ([^\`\n]*(?:anchorage|\\.\\./)[^\`\n]*)\``, "g"))];
  return spans.map(([, text]) => words(text!));
}

/** A line of a shell as its words: comments, a final `&` and quotes taken away, nothing expanded. */
function words(line: string): string[] {
  const found = line.match(/'[^']*'|#.*$|[^\s']+/g) ?? [];
  const own = found.slice(0, found.findIndex((word) => word.startsWith("#")) >>> 0);
  return own.map((word) => word.replace(/^'(.*)'$/, "$1")).filter((word) => word !== "&");
}

/** Every command of a page's `sh` blocks that `program` begins, as words after it; of loops and pipes, each part alone. */
export function commandsOf(page: string, program: string): string[][] {
  const lines = blocks(page, "sh").flatMap((block) => block.replace(/\\\n\s*/g, "").split(/\n|;|\|/));
  const start = program.split(" ");
  return lines
    .map((line) => words(line.trim()))
    .filter((line) => start.every((word, i) => line[i] === word))
    .map((line) => line.slice(start.length));
}
