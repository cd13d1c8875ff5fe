import { spawnSync } from "node:child_process";
import { python } from "./archives.mjs";
import { compiler } from "./compiler.mjs";
import { platform } from "./places.mjs";
import { SetupError } from "./setupError.mjs";

const works = (program, args, input) =>
  spawnSync(program, args, { input, stdio: ["pipe", "ignore", "ignore"] }).status === 0;

/** The lowest Node version that the packages in use support. */
const oldestNode = [20, 19];

/** Each tool that set-up calls: how it is tried, and the packages that bring it on Debian's and Fedora's families. */
const tools = [
  {
    name: "a C++17 compiler (g++ 9 or newer)",
    present: () =>
      works(compiler(), ["-std=c++17", "-x", "c++", "-fsyntax-only", "-"], "#include <filesystem>\nint main() {}\n"),
    apt: "g++",
    dnf: "gcc-c++",
  },
  { name: "ar (binutils)", present: () => works("ar", ["--version"]), apt: "binutils", dnf: "binutils" },
  {
    name: "Python 3.8 or newer (python3)",
    present: () => works(python(), ["-c", "import sys, zipfile, tarfile; sys.exit(sys.version_info < (3, 8))"]),
    apt: "python3",
    dnf: "python3",
  },
  {
    name: "pip for python3",
    present: () => works(python(), ["-m", "pip", "--version"]),
    apt: "python3-pip",
    dnf: "python3-pip",
  },
  {
    name: "zlib headers (zlib.h)",
    only: (settings) => settings.withAtari,
    present: () => works(compiler(), ["-x", "c++", "-fsyntax-only", "-"], "#include <zlib.h>\n"),
    apt: "zlib1g-dev",
    dnf: "zlib-devel",
  },
  { name: "npm", present: () => works("npm", ["--version"]), apt: "npm", dnf: "npm" },
];

/** The tools that are not there. Without a compiler nothing can be said about zlib's headers: they are listed, too. */
export function missingTools(settings) {
  return tools.filter((tool) => (tool.only?.(settings) ?? true) && !tool.present());
}

/** Throws one SetupError that names everything that is missing and the command that installs it. */
export function checkRequirements(settings) {
  if (!["linux-x64", "linux-arm64"].includes(platform))
    throw new SetupError(`This machine is ${platform}. Anchorage runs on linux-x64 and linux-arm64.`);
  if (!nodeSupported())
    throw new SetupError(
      `Node is ${process.version}, needed is ${oldestNode.join(".")} or newer. Install Node 20, 22 or 24.`,
    );
  const missing = missingTools(settings);
  if (missing.length)
    throw new SetupError(
      `${missing.length} of the tools that set-up needs ${missing.length === 1 ? "is" : "are"} missing:\n${remedy(missing)}`,
    );
}

export function remedy(missing) {
  const list = (family) => [...new Set(missing.map((tool) => tool[family]))].join(" ");
  return [
    ...missing.map((tool) => `  - ${tool.name}`),
    "Install with one of these (as root), then run the same command again:",
    `  apt-get install -y ${list("apt")}    # Debian, Ubuntu`,
    `  dnf install -y ${list("dnf")}    # Fedora, RHEL`,
  ].join("\n");
}

export function nodeSupported(version = process.versions.node) {
  const [major, minor] = version.split(".").map(Number);
  return major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
}
