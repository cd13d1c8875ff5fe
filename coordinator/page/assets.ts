import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { messageOf, OperatorError } from "../../shared/errors.ts";
import { projectRoot } from "../../shared/nativeParts.ts";

export interface Asset {
  readonly type: string;
  readonly bytes: Buffer;
  readonly etag: string;
}

/** The browser's side, compiled from page/. */
const scripts = [
  "main",
  "connection",
  "chart",
  "checkpoints",
  "compare",
  "controls",
  "curves",
  "element",
  "fleet",
  "logView",
  "numbers",
  "overview",
  "play",
] as const;

const styles = ["base", "head", "main", "play", "tables"] as const;
const compiled = join(projectRoot, "dist");

/** All that a browser is given beside data, by path; read once, some 150 KB. Throws SETUP where a file is missing. */
export function pageAssets(): ReadonlyMap<string, Asset> {
  const uplot = join(dirname(createRequire(import.meta.url).resolve("uplot/package.json")), "dist");
  const files: [path: string, file: string, type: string][] = [
    ["/", join(compiled, "page", "index.html"), "text/html"],
    ...styles.map((name): [string, string, string] => [
      `/${name}.css`,
      join(compiled, "page", `${name}.css`),
      "text/css",
    ]),
    ["/icon.svg", join(compiled, "page", "icon.svg"), "image/svg+xml"],
    ["/shared/pageEvents.js", join(compiled, "shared", "pageEvents.js"), "text/javascript"],
    ["/uplot.js", join(uplot, "uPlot.iife.min.js"), "text/javascript"],
    ["/uplot.css", join(uplot, "uPlot.min.css"), "text/css"],
    ...scripts.map((name): [string, string, string] => [
      `/${name}.js`,
      join(compiled, "page", `${name}.js`),
      "text/javascript",
    ]),
  ];
  return new Map(files.map(([path, file, type]) => [path, asset(file, `${type}; charset=utf-8`)]));
}

function asset(file: string, type: string): Asset {
  try {
    const bytes = readFileSync(file);
    return { type, bytes, etag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"` };
  } catch (cause) {
    const problem = `The page's ${file} cannot be read: ${messageOf(cause)}.`;
    throw new OperatorError("SETUP", problem, "Run: npm run setup && npm run build. Or do without: page=off.", {
      cause,
    });
  }
}
