/** null: `stop` came first. */
export function unlessStopped<T>(value: Promise<T>, stop: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    if (stop.aborted) resolve(null);
    stop.addEventListener("abort", () => resolve(null), { once: true });
    value.then(resolve, reject);
  });
}

/** Aborts `seconds` after `stop` did; a run that was not told to stop waits for its coordinator as long as it takes. */
export function giveUpAfter(stop: AbortSignal, seconds: number): AbortSignal {
  const giveUp = new AbortController();
  const begin = (): void => void setTimeout(() => giveUp.abort(), seconds * 1000).unref();
  if (stop.aborted) begin();
  else stop.addEventListener("abort", begin, { once: true });
  return giveUp.signal;
}
