import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { projectRoot } from "../../shared/nativeParts.ts";

const sink = pathToFileURL(join(projectRoot, "dist", "shared", "logSink.js")).href; // needs npm run build
const noPrlimit = spawnSync("prlimit", ["--version"]).status !== 0;

let folder: string;
let child: ChildProcess | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "anchorage-log-"));
});
afterEach(() => {
  child?.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** A process that writes the lines it is sent through a LogSink to a file that cannot grow beyond `bytes`. */
function writer(bytes: number): { readonly file: string; readonly send: (lines: string[]) => Promise<void> } {
  const file = join(folder, "log");
  const code = `import { LogSink } from ${JSON.stringify(sink)};
    const to = new LogSink(2, (lines, why) => to.write("lost " + lines + ": " + why + "\\n"));
    process.on("message", (lines) => { for (const line of lines) to.write(line + "\\n"); process.send("written"); });`;
  const limited = ["trap '' XFSZ; exec prlimit --fsize=$0:unlimited \"$@\"", String(bytes)];
  const command = [process.execPath, "--input-type=module", "-e", code];
  child = spawn("sh", ["-c", ...limited, ...command], { stdio: ["ignore", "ignore", openSync(file, "a"), "ipc"] });
  const send = async (lines: string[]): Promise<void> => {
    child!.send(lines);
    await once(child!, "message");
  };
  return { file, send };
}

const numbered = (from: number, to: number, width: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `${from + i} `.padEnd(width, "x"));
const giveSpace = (): void => void spawnSync("prlimit", ["--pid", String(child!.pid), "--fsize=unlimited"]);

it.skipIf(noPrlimit)(
  "lines that find no space wait and are written, whole and in order, once there is some (skipped without prlimit)",
  async () => {
    const { file, send } = writer(1_000);
    await send(numbered(0, 30, 99)); // 100 bytes a line with its end: 10 fit
    expect(statSync(file).size).toBe(1_000);
    giveSpace();
    await send(numbered(30, 31, 99));
    expect(readFileSync(file, "utf8").trimEnd().split("\n")).toEqual(numbered(0, 31, 99));
  },
);

it.skipIf(noPrlimit)(
  "what does not fit into a megabyte of waiting lines is counted and told (skipped without prlimit)",
  async () => {
    const { file, send } = writer(0);
    await send(numbered(0, 1_100, 1_023)); // 1 KiB a line: 1024 wait, 76 are lost
    giveSpace();
    await send(numbered(1_100, 1_101, 1_023)); // there is no place for it among those that wait, either
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    expect(lines.slice(0, -1)).toEqual(numbered(0, 1_024, 1_023));
    expect(lines.at(-1)).toMatch(/^lost 77: EFBIG/);
  },
);
