import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { projectRoot } from "../../../shared/nativeParts.ts";
import { kustomizationOn, type UserFolder, userFolder } from "../../deploy/userFolder.ts";
import type { Cluster } from "./controlPlane.ts";

/** Commands that are not run, by an extended regular expression, and why not. */
export interface NotRun {
  readonly command: string;
  readonly why: string;
}

export interface DocsUser extends UserFolder {
  /** Runs a text of the page in bash, as it stands. Gives what it prints; rejects with its words if a command fails. */
  readonly run: (text: string) => Promise<string>;
  /** `../cluster/kustomization.yaml`: the page's, with images of this tag and a run of this name. */
  readonly kustomize: (change?: { readonly tag?: string; readonly run?: string }) => void;
}

/** Every command that a user in this file has run, as a line. */
export const commandsRun: string[] = [];

/**
 * A user of docs/deploy.md with a cluster and an overlay. Its `kubectl` and `npx` pass over what is in `notRun`, write down the
 * rest and give it to the real ones (npx's without its look at whether the clone is set up).
 */
export async function docsUser(cluster: Cluster, overlay: string, notRun: readonly NotRun[]): Promise<DocsUser> {
  const folder = userFolder();
  const bin = join(cluster.folder, "bin");
  const log = join(bin, "run");
  const { stdout: kubectl } = await execa("which", ["kubectl"]);
  mkdirSync(bin);
  const passedOver = notRun.map(({ command }) => command).join("|");
  const command = (name: string, real: string): void => {
    const script = `#!/bin/bash
[[ "${name} $*" =~ $PASSED_OVER ]] && exit
echo "${name} $*" >> ${log}
exec ${real}
`;
    writeFileSync(join(bin, name), script);
    chmodSync(join(bin, name), 0o755);
  };
  command("kubectl", `${kubectl} "$@"`);
  command("npx", `${process.execPath} ${join(projectRoot, "dist", "cli", "main.js")} "\${@:2}"`);
  const env = { PATH: `${bin}:${process.env.PATH}`, KUBECONFIG: cluster.kubeconfig, PASSED_OVER: passedOver };
  return {
    ...folder,
    run: async (text) => {
      writeFileSync(log, "");
      try {
        return (await execa("bash", ["-euo", "pipefail", "-c", text], { cwd: folder.clone, env })).stdout;
      } finally {
        commandsRun.push(...readFileSync(log, "utf8").split("\n").filter(Boolean));
      }
    },
    kustomize: ({ tag = "0.1.0", run = "cheetah-1" } = {}) => {
      const text = kustomizationOn(overlay).replaceAll("newTag: 0.1.0", `newTag: ${tag}`);
      folder.write("kustomization.yaml", text.replace("name=cheetah-1", `name=${run}`));
    },
  };
}
