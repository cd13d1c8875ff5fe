import { expect, it } from "vitest";
import { start } from "../system/command.ts";
import { temporaryFolder } from "./runningCoordinator.ts";

/** What a coordinator process says until it serves; then it is told to end. Needs npm run build. */
async function saidAtStart(...more: string[]): Promise<string> {
  const args = ["coordinator", "--run-dir", `${await temporaryFolder()}/run`, "--env", "CartPole-v1", ...more];
  const running = start(args, { env: { ANCHORAGE_LOG: "info" } });
  let said = "";
  running.process.stderr!.on("data", (data: Buffer) => {
    said += data.toString();
    if (said.includes("new run")) running.process.kill("SIGTERM");
  });
  return (await running.finished).stderr;
}

it("members of other hosts that would be told of this host's own NATS server are warned of, with the remedy", async () => {
  const warning =
    /members on other hosts may come to \S+ and are told nats=127\.0\.0\.1:4222.*set --nats HOST:PORT here/;
  const open = ["--listen", "0.0.0.0:0", "--insecure"];
  expect(await saidAtStart(...open)).toMatch(warning);
  for (const fine of [
    [...open, "--nats", "nats.example:4222"],
    ["--listen", "127.0.0.1:0"],
  ]) {
    const said = await saidAtStart(...fine);
    expect(said).toContain("new run");
    expect(said).not.toMatch(warning);
  }
}, 180_000);
