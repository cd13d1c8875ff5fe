/** A test's name; where something that it needs is missing, what: skipped tests tell why in every report. */
export const named = (text: string, missing: string | null): string =>
  missing === null ? text : `${text} (skipped: ${missing})`;
