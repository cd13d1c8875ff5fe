/** PromQL of a process's series, for the runs that are chosen; `labels` go into the braces. */
const series =
  (role: string) =>
  (name: string, labels = ""): string =>
    `anchorage_${role}_${name}{run=~"$run"${labels === "" ? "" : `,${labels}`}}`;

export const coordinator = series("coordinator");
export const learner = series("learner");
export const actor = series("actor");

/** Of a process of the chosen roles; these series carry Node's and the kernel's names. */
export const process = (name: string): string => `${name}{run=~"$run",role=~"$role"}`;

export const rate = (of: string): string => `rate(${of}[$__rate_interval])`;

/** A quantile of a histogram, by run, over all of its processes. */
export const quantile = (q: number, bucket: string): string =>
  `histogram_quantile(${q}, sum by (run, le) (${rate(bucket)}))`;
