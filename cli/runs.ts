import type { Command } from "commander";
import { exitStatusOf } from "./role.ts";

/** Commander's `action`, with our exit statuses. The process ends when its work does. */
export function runs<Flags, Argument = string>(
  command: Command,
  action: (flags: Flags, argument: Argument) => Promise<number>,
): void {
  command.action(async (...given: unknown[]) => {
    const flags = command.opts() as Flags;
    process.exitCode = await exitStatusOf(() => action(flags, given[0] as Argument));
    process.exit();
  });
}
