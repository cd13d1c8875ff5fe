const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 4 });
const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** A measured number for people: 3 to 4 digits, with a real minus. */
export const readable = (value: number | null | undefined): string => plain(value).replaceAll("-", "−");

function plain(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-3) return value.toExponential(1);
  if (size >= 1e5) return short.format(value);
  if (size >= 1000) return grouped.format(value);
  return Number(value.toPrecision(size >= 100 ? 4 : 3)).toString();
}

/** Readable as well, with as many digits as tell neighbours apart: -20.9 twice says nothing. */
export function onAxis(values: readonly number[]): string[] {
  let labels = values.map(readable);
  for (let digits = 4; new Set(labels).size < values.length && digits <= 12; digits++)
    labels = values.map((value) => String(Number(value.toPrecision(digits))).replaceAll("-", "−"));
  return labels;
}

export const count = (value: number): string => (Math.abs(value) >= 1e6 ? short.format(value) : grouped.format(value));
/** For an axis: as short as it stays exact. */
export const brief = (value: number): string => (Math.abs(value) >= 1e4 ? short.format(value) : grouped.format(value));
export const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** As a style sheet has it. */
export const cssPercent = (share: number): string => `${(share * 100).toFixed(1)}%`;

export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

export const ago = (seconds: number): string => (seconds < 1 ? "now" : `${duration(seconds)} ago`);

export function bytes(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(1)} GB`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} MB`;
  return `${Math.max(1, Math.round(value / 1e3))} kB`;
}
