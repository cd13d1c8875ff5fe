import { environmentIds } from "../actor/environments.ts";

/** Prints every environment id, by family. */
export async function listEnvironments(flags: { readonly json?: boolean }): Promise<number> {
  const families = environmentIds();
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(families)}\n`);
    return 0;
  }
  const titles = {
    atari: "Atari (EnvPool -v5 preprocessing)",
    mujoco: "MuJoCo (Gymnasium v4 and v5)",
    classic: "TypeScript",
  };
  for (const [family, ids] of Object.entries(families))
    process.stdout.write(
      `${titles[family as keyof typeof titles]}:\n  ${ids.join(" ") || "none installed: npm run doctor says why"}\n`,
    );
  process.stdout.write("Your own: --env ./myEnvironment.ts (docs/environments.md)\n");
  return 0;
}
