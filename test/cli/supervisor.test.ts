import { spawn } from "node:child_process";
import { expect, it, onTestFinished } from "vitest";
import { type RoleMessage, Supervised } from "../../cli/supervisor.ts";

type Ending = Partial<RoleMessage> & { readonly status?: number };
const inUse: Ending = {
  kind: "failed",
  message: "[ADDRESS] It is in use. Free it.",
  forOperator: { code: "ADDRESS", problem: "It is in use.", remedy: "Free it." },
  retry: false,
};

/** Supervises real processes, of which the n-th ends as the n-th of `endings` says; resolves when it is given up. */
async function supervised(endings: readonly Ending[]): Promise<{ starts: number; error: unknown }> {
  let starts = 0;
  const supervised = new Supervised("learner", "Its log: learner.log", () => {
    const { status = 1, ...message } = endings[Math.min(starts++, endings.length - 1)]!;
    const tell = message.kind === undefined ? "" : `process.send(${JSON.stringify(message)}, () => process.exit());`;
    const script = `process.exitCode = ${status}; ${tell}`;
    return spawn(process.execPath, ["-e", script], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  });
  onTestFinished(() => supervised.stop("SIGKILL", 1));
  const error = await new Promise((resolve) => supervised.once("gaveUp", resolve).start());
  return { starts, error };
}

it("an address that cannot be had at the first start ends it, in the process's own words", async () => {
  const { starts, error } = await supervised([inUse]);
  expect(starts).toBe(1);
  expect(error).toMatchObject({ code: "ADDRESS", message: "[ADDRESS] It is in use. Free it." });
});

it("a restarted process may meet its predecessor's port: it is started again", async () => {
  const setup: Ending = { ...inUse, forOperator: { code: "SETUP", problem: "No TensorFlow.", remedy: "Install it." } };
  const { starts, error } = await supervised([{ status: 3 }, inUse, setup]);
  expect(starts).toBe(3);
  expect(error).toMatchObject({ code: "SETUP" });
});

it("a crash that comes back says where to read on", async () => {
  const crash: Ending = { kind: "failed", message: "x is not a function", forOperator: null, retry: false };
  const { error } = await supervised([crash]);
  expect(error).toMatchObject({
    message: "[PROCESS] The learner ended: x is not a function. Its log: learner.log",
  });
});
