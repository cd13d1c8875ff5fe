import { type ChildProcess, spawn } from "node:child_process";

/**
 * A server of another maker has no way to notice that the process that started it was killed, so a shell stands between:
 * it ends the server when its starter is gone and passes SIGTERM on. $0: the starter's pid; the rest: the command.
 */
const keeper = `
"$@" &
server=$!
trap 'kill "$server" 2>/dev/null' TERM INT
while kill -0 "$0" 2>/dev/null && kill -0 "$server" 2>/dev/null; do sleep 0.5; done
kill "$server" 2>/dev/null
wait "$server"
`;

/** Starts a server that ends with this process, in a process group of its own. @param log descriptor of its stdout and stderr */
export function startKept(command: readonly string[], log: number): ChildProcess {
  const stdio: ["ignore", number, number] = ["ignore", log, log];
  return spawn("sh", ["-c", keeper, String(process.pid), ...command], { stdio, detached: true });
}
