import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { onTestFinished } from "vitest";
import { projectRoot } from "../../../shared/nativeParts.ts";

/** null: containers can be built and run here; else what is missing. */
export function noContainers(): string | null {
  if (process.getuid?.() !== 0) return "containers are built and run as root here";
  for (const program of ["podman", "debootstrap", "runc", "iptables"])
    if (spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0) return `containers need ${program} on PATH`;
  return null;
}

/** What podman needs where cgroups are of version 1 and limits may not be raised. */
const engineSettings = `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=8192:8192"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
`;

let settingsFile: string | null = null;

/** With which podman runs here. */
export function podmanEnvironment(): { readonly CONTAINERS_CONF: string } {
  if (settingsFile === null) {
    settingsFile = join(mkdtempSync(join(tmpdir(), "anchorage-podman-")), "containers.conf");
    writeFileSync(settingsFile, engineSettings);
  }
  return { CONTAINERS_CONF: settingsFile };
}

/** Runs podman. Rejects with its words. */
export async function podman(...args: readonly string[]): Promise<string> {
  return (await execa("podman", args, { env: podmanEnvironment() })).stdout;
}

const base = "localhost/anchorage-base:bookworm";

/**
 * Stands in for node:20-bookworm-slim, which no registry that is reached here has: Debian 12's smallest system by debootstrap,
 * this machine's node and npm, and the certificates and settings of this machine's package clients.
 */
async function standInBase(): Promise<void> {
  if (spawnSync("podman", ["image", "exists", base]).status === 0) return;
  const folder = mkdtempSync(join(tmpdir(), "anchorage-base-"));
  try {
    const root = join(folder, "root");
    const mirror = /^URIs:\s*(\S+)/m.exec(readFileSync("/etc/apt/sources.list.d/debian.sources", "utf8"))?.[1] ?? "";
    await execa("debootstrap", ["--variant=minbase", "--include=ca-certificates", "bookworm", root, mirror]);
    const modules = (await execa("npm", ["root", "--global"])).stdout.trim();
    mkdirSync(join(root, "usr/local/lib/node_modules"), { recursive: true });
    copyFileSync(process.execPath, join(root, "usr/local/bin/node"));
    await execa("cp", ["-r", join(modules, "npm"), join(root, "usr/local/lib/node_modules")]);
    await execa("ln", ["-s", "../lib/node_modules/npm/bin/npm-cli.js", join(root, "usr/local/bin/npm")]);
    copyFileSync("/etc/ssl/certs/ca-certificates.crt", join(root, "etc/ssl/certs/ca-certificates.crt"));
    if (existsSync("/usr/local/share/ca-certificates"))
      await execa("cp", ["-r", "/usr/local/share/ca-certificates", join(root, "usr/local/share")]); // kept by updates
    writeFileSync(join(root, "etc/pip.conf"), "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n");
    mkdirSync(join(root, "usr/local/etc"), { recursive: true });
    writeFileSync(join(root, "usr/local/etc/npmrc"), "cafile=/etc/ssl/certs/ca-certificates.crt\n");
    await execa("tar", ["-C", root, "-cf", join(folder, "root.tar"), "."]);
    await podman("import", join(folder, "root.tar"), base);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Set: the tag of images that are there already, which are tested instead of new ones. */
const given = process.env.ANCHORAGE_IMAGES_TAG;

export const imageOf = (role: string): string => `localhost/anchorage/${role}:${given ?? "test"}`;

let built: Promise<void> | null = null;

/** Builds the images of deploy/images from this clone's sources, without ALE, once: layers that are there are used again. */
export function buildImages(): Promise<void> {
  built ??= given === undefined ? build() : Promise.resolve();
  return built;
}

async function build(): Promise<void> {
  await standInBase();
  const context = mkdtempSync(join(tmpdir(), "anchorage-context-"));
  onTestFinished(() => rmSync(context, { recursive: true, force: true }));
  await execa("sh", ["-c", 'git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$0"', context], {
    cwd: projectRoot,
  });
  const image = (role: string, ...more: string[]): Promise<string> =>
    podman(
      ...["build", "--isolation", "chroot", "--network", "host", "--format", "docker"],
      ...["--build-arg", `NODE_IMAGE=${base}`, ...more],
      ...["--file", join(context, "deploy", "images", `${role}.Dockerfile`), "--tag", imageOf(role), context],
    );
  await image("build", "--build-arg", "WITHOUT_ATARI=1");
  for (const role of ["nats", "coordinator", "learner", "actor"])
    await image(role, "--build-arg", `BUILD_IMAGE=${imageOf("build")}`);
}
