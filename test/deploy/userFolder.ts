import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { projectRoot } from "../../shared/nativeParts.ts";
import { blocks, docsPage } from "./docsCommands.ts";

const [written] = blocks(docsPage("docs/deploy.md"), "yaml") as [string];

export interface UserFolder {
  /** The clone, in which the page's commands are run. What they make there is not made in this project's folder. */
  readonly clone: string;
  /** The page's `../cluster`: makes or replaces a file of it. */
  readonly write: (name: string, text: string) => void;
  readonly cluster: string;
}

/** What a reader of docs/deploy.md has before the first command: a clone called anchorage. Removed with the test. */
export function userFolder(): UserFolder {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "anchorage-user-")));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [clone, cluster] = [join(folder, "anchorage"), join(folder, "cluster")];
  mkdirSync(clone);
  for (const name of readdirSync(projectRoot))
    if (name !== "certs") symlinkSync(join(projectRoot, name), join(clone, name));
  return { clone, cluster, write: (name, text) => writeFileSync(join(cluster, name), text) };
}

/** The page's kustomization, as its comments say to write it for one of the overlays. */
export function kustomizationOn(name: string): string {
  const on = written.replace("deploy/kubernetes/base", `deploy/kubernetes/${name}`);
  return name === "overlays/gpu" ? on.replaceAll("anchorage/learner,", "anchorage/learner-gpu,") : on;
}
