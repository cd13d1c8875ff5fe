import type { Command } from "commander";
import { keepNiceness } from "./niceness.ts";
import { exitStatusOf } from "./role.ts";

/** Commander's `action`, with our exit statuses. The process ends when its work does. */
export function runs<Flags, Argument = string>(
  command: Command,
  action: (flags: Flags, argument: Argument) => Promise<number>,
): void {
  command.action(async (...given: unknown[]) => {
    const flags = command.opts() as Flags;
    void keepNiceness(); // tries again for a while: no reason to wait for it
    process.exitCode = await exitStatusOf(() => action(flags, given[0] as Argument));
    process.exit();
  });
}
