/** A process's /metrics as it serves them, without the labels `run` and `role`, which all its series share. */
export async function metricsPage(port: number, host = "127.0.0.1"): Promise<string> {
  const answer = await fetch(`http://${host}:${port}/metrics`, { signal: AbortSignal.timeout(10_000) });
  return (await answer.text())
    .replace(/(?:run="[^"]*",)?\brole="(?:coordinator|learner|actor)"/g, "")
    .replace(/,(?=[,}])|(?<=\{),/g, "")
    .replaceAll("{}", "");
}

/** Its values by `name` or `name{labels}`. */
export async function scrape(port: number, host?: string): Promise<Record<string, number>> {
  const lines = (await metricsPage(port, host)).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const at = (line: string): number => line.lastIndexOf(" ");
  return Object.fromEntries(lines.map((line) => [line.slice(0, at(line)), Number(line.slice(at(line) + 1))]));
}

/** What a process has turned away at its ports, by reason. */
export async function refusals(port: number): Promise<Record<string, number>> {
  const counted = (await metricsPage(port)).matchAll(/^anchorage_[a-z]+_refused_total\{reason="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...counted].map(([, reason, count]) => [reason, Number(count)]));
}
