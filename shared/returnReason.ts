/** Why an actor gives a lease back; on the wire a person's words may follow. */
export const returnReasons = [
  "need_state",
  "draining",
  "environment_failed",
  "policy_unavailable",
  "lease_revoked",
  "already_answered",
  "other",
] as const;
export type ReturnReason = (typeof returnReasons)[number];

/** The label for a reason as it was given, however free its text. */
export function returnReason(text: string): ReturnReason {
  const word = /^[a-z_]+/.exec(text)?.[0];
  return returnReasons.find((known) => known === word) ?? "other";
}
