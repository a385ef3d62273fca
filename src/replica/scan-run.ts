// The bookkeeping of one full scan over one connection: its start, what it mended, and whether it can be believed. A scan
// counts as whole when CaughtUp's total equals what came and the link is still open a moment later (wire.md, point 15).

export class ScanRun {
  readonly startedAtMs: number;
  /** `first`: of this process; `rescan`: the stream restarts with it, or there is none; `beside`: beside a stream. */
  readonly kind: "first" | "rescan" | "beside";
  taken = 0;
  caughtUpAtMs: number | null = null;

  constructor(kind: "first" | "rescan" | "beside", startedAtMs: number) {
    this.kind = kind;
    this.startedAtMs = startedAtMs;
  }

  /** How long it took from ShardInfo to CaughtUp; to now while it runs. */
  tookMs(nowMs: number): number {
    return (this.caughtUpAtMs ?? nowMs) - this.startedAtMs;
  }
}
