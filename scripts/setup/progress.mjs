const started = performance.now();
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/** On stderr: stdout belongs to the command that set-up prepares (`npm start -- --json`). */
export const say = (line) => process.stderr.write(`setup: ${line}\n`);

/** Says what is being done and, when it is done, how long it took. */
export async function step(what, work) {
  const since = performance.now();
  say(`${what} ...`);
  const result = await work();
  say(`${what}: done in ${seconds(since)}`);
  return result;
}

export const sayTotal = (line) => say(`${line} (${seconds(started)})`);
