import type { ServerGuard } from "../../shared/grpcServer.ts";
import type { PortRefusals, RefusalReason } from "../../shared/portRefusals.ts";

/** Counts by reason what a guard refuses. */
export class CountedRefusals implements PortRefusals {
  readonly counts = new Map<RefusalReason, number>();
  readonly lines: string[] = [];
  count(reason: RefusalReason, what: string): void {
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1);
    if (this.lines.length < 100) this.lines.push(`${reason}: ${what}`);
  }
  of(reason: RefusalReason): number {
    return this.counts.get(reason) ?? 0;
  }
}

/** For servers whose test is about something else. */
export const openGuard = (): ServerGuard => ({
  limits: {},
  bounds: {},
  maxConnections: 100,
  refusals: new CountedRefusals(),
});
