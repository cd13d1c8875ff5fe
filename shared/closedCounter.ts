import { Counter, type Registry } from "prom-client";

/** A counter whose one label takes these values and no others. */
export interface ClosedCounter<Label extends string, Value extends string> extends Pick<Counter<Label>, "get"> {
  inc(labels: Readonly<Record<Label, Value>>, by?: number): void;
}

/**
 * Its series are known beforehand: so nothing that a peer sends can make a new one, and each is served as 0 from the start
 * (the first event of a series that did not exist is none to PromQL's `increase`).
 */
export function closedCounter<Label extends string, const Value extends string>(
  registry: Registry,
  name: string,
  help: string,
  label: Label,
  values: readonly Value[],
  collect: () => void = () => {}, // called before it is read
): ClosedCounter<Label, Value> {
  const counter = new Counter({ name, help, labelNames: [label], registers: [registry], collect });
  const labels = (value: Value) => ({ [label]: value }) as Record<Label, Value>;
  for (const value of values) counter.inc(labels(value), 0);
  return counter;
}
