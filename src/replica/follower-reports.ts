// What a shard's follower reports: state changes and events at once, snapshots four times a second in a scan and once a
// second besides. Used by shard-follower.ts. Decides nothing.

import type { PlainError } from "../errors.ts";
import type { Clock } from "../io/clock.ts";
import type { ScanEnd } from "../link/scan-types.ts";
import { DIVERGED_LISTED_MAX } from "../limits.ts";
import type { AppliedBatch } from "./apply/batch-applier.ts";
import type { ScanJudge } from "./apply/scan-judge.ts";
import type { Connection } from "./connection.ts";
import type { FollowerReport, FollowerSettings, OwnWork, ShardSnapshot } from "./follower-types.ts";
import type { Report } from "./machine/actions.ts";
import { NO_PROGRESS, progressOf } from "./machine/shown.ts";
import type { ShardState } from "./machine/types.ts";
import type { ShardBody } from "./shard-body.ts";
import { ShardCounts } from "./shard-counts.ts";
import type { ShardMessage } from "./shard-messages.ts";
import { snapshotOf } from "./snapshot.ts";

const SNAPSHOT_INTERVAL_MS = 250;

export interface ReportTools {
  readonly clock: Clock;
  send(message: ShardMessage): void;
  /** A frame came on the main connection; more often than anything is sent. */
  heard(atMs: number): void;
}

type CaughtUp = Extract<FollowerReport, { kind: "caught-up" }>;

/** What a snapshot is made of, as it stands. */
export interface ShardNow {
  readonly state: ShardState;
  readonly body: ShardBody | null;
  /** Why its files are not clean though nothing failed; null: they are, or are not closed. */
  readonly unclean: string | null;
  /** Of its files. */
  readonly work: OwnWork | null;
  /** Of the scan under way. */
  readonly slotLast: number | null;
}

export class FollowerReports {
  readonly counts: ShardCounts;
  readonly #shard: number;
  readonly #saved: FollowerSettings["saved"];
  readonly #clock: Clock;
  readonly #send: (message: ShardMessage) => void;
  readonly #heard: (atMs: number) => void;
  readonly #now: () => ShardNow;
  #progress = NO_PROGRESS;
  #snapshotAtMs = Number.NEGATIVE_INFINITY;
  #firstDialAtMs: number | null = null;
  #resetsTold = 0;
  /** Of the last whole scan, until they are told. */
  #divergedUntold = 0;
  /** Of the last whole scan: what its report adds to the machine's. */
  #lastScan = { scanned: 0n, taken: 0 };
  /** Of a scan beside the stream: told when it is known which of its slots the stream brings by itself. */
  #waiting: { readonly report: CaughtUp; readonly healedBefore: number } | null = null;

  constructor(
    { shard, saved }: Pick<FollowerSettings, "shard" | "saved">,
    { clock, send, heard }: ReportTools,
    now: () => ShardNow,
  ) {
    this.#shard = shard;
    this.#saved = saved;
    this.#clock = clock;
    this.#send = send;
    this.#heard = heard;
    this.#now = now;
    this.counts = new ShardCounts(clock);
    this.counts.diverged = saved.diverged;
    this.counts.currentAtMs = saved.currentAtMs;
    this.counts.lastFrameAtMs = saved.lastFrameAtMs;
  }

  /** Before its slots are read: those of a large shard take a while. */
  reading(detail: OwnWork): void {
    this.#send({ kind: "state", shard: this.#shard, state: "connecting", detail });
    this.snapshot();
  }

  /** The shard's files are open from here on; says what is worth knowing of them. */
  opened({ store }: ShardBody, isNew: boolean): void {
    if (isNew && !store.reserved) {
      this.log(
        "warn",
        "this file system cannot reserve space: a full disk will only show at a write",
      );
    }
    if (!isNew && store.loaded.torn > 0) {
      this.log("warn", `${store.loaded.torn} torn slots on disk: the scan will mend them`);
    }
  }

  log(level: "debug" | "info" | "warn", text: string, more: { heldUpMs?: number } = {}): void {
    this.#send({ kind: "log", shard: this.#shard, level, text, ...more });
  }

  // ---- connections and scans ----

  dialed(connection: Connection): void {
    this.#firstDialAtMs ??= this.#clock.nowMs();
    this.counts.opened(connection);
  }

  gone(connection: Connection): void {
    this.counts.closed(connection);
  }

  scanBegan(connection: Connection): void {
    this.counts.scanBegan();
    this.counts.scanned = 0;
    this.heard(connection, null);
  }

  scanApplied(connection: Connection, batch: AppliedBatch, resetsSaved: number): void {
    this.counts.scanned = (this.counts.scanned ?? 0) + batch.events;
    this.heard(connection, null);
    if (batch.cleared > 0) this.#resets(resetsSaved);
    this.#invalid(batch);
  }

  scanWhole(connection: Connection, end: Extract<ScanEnd, { kind: "whole" }>): void {
    const { counts } = this;
    counts.scanEnded();
    counts.lastError = null;
    counts.holds(end.beganAtMs);
    if (connection.kind === "rescan") counts.rescanned += connection.taken;
    this.#lastScan = { scanned: end.events, taken: connection.taken };
  }

  judged(judge: ScanJudge): void {
    this.struck(judge);
    this.#divergedUntold = judge.divergedCount;
  }

  /** What was judged is known to the machine, and saved where it changed: what is told here outlasts a kill. */
  tellJudged(): void {
    const total = this.#divergedUntold;
    this.#divergedUntold = 0;
    if (total === 0) return;
    this.#send({ kind: "diverged", shard: this.#shard, slots: this.counts.diverged, total });
  }

  /** Newer events have overwritten some that were diverged. */
  struck(judge: ScanJudge): void {
    this.counts.diverged = judge.listed(DIVERGED_LISTED_MAX);
  }

  accepted(slots: number): void {
    const [are, records] = slots === 1 ? ["slot is", "record"] : ["slots are", "records"];
    const file = `armdb-reset-${this.#shard}.log`;
    this.log(
      "warn",
      `${slots} ${are} saved in ${file}; the next scan takes the leader's ${records}`,
    );
  }

  /** A frame came; with a live batch, what it brought. */
  heard({ role, link }: Connection, batch: AppliedBatch | null): void {
    if (role !== "main") return;
    this.counts.lastFrameAtMs = link.lastFrameAtMs;
    this.#heard(link.lastFrameAtMs);
    if (batch === null) return;
    if (batch.cleared > 0) this.#resets(this.#now().body?.intake.resetsSaved ?? 0);
    this.#invalid(batch);
  }

  #invalid({ invalidSlot }: AppliedBatch): void {
    if (invalidSlot < 0) return;
    const text = `the leader sent slot ${invalidSlot} with status 3, which is none: taken as deleted`;
    this.log("warn", text);
  }

  /** It moves the lag: told at once, and not with the next second. */
  heartbeat(connection: Connection): void {
    this.heard(connection, null);
    if (connection.role === "main" && connection.isWhole) this.snapshot();
  }

  #resets(savedTotal: number): void {
    const slots = savedTotal - this.#resetsTold;
    if (slots === 0) return;
    this.#resetsTold = savedTotal;
    const were = slots === 1 ? "slot that was" : "slots that were";
    this.log(
      "warn",
      `the leader reset ${slots} ${were} good here: saved in armdb-reset-${this.#shard}.log`,
    );
  }

  // ---- what the machine reports ----

  report(report: Report): void {
    const shard = this.#shard;
    switch (report.kind) {
      case "state": {
        const { state, activity: detail } = report;
        this.#send({ kind: "state", shard, state, detail });
        return this.snapshot();
      }
      case "caught-up":
        return this.#caughtUp(report);
      case "ready":
        this.#send({ kind: "ready", shard, protocol: report.protocol });
        return this.snapshot();
      case "owed":
        return this.log("debug", `a whole scan is owed: ${report.why}`);
      case "log":
        if (report.level === "warn") this.counts.lastError = report.text;
        return this.#send({ ...report, shard: this.#shard });
    }
  }

  leaderRestarted(): void {
    this.#send({ kind: "leader-restarted", shard: this.#shard });
  }

  #caughtUp({ scan, why, tookMs }: Extract<Report, { kind: "caught-up" }>): void {
    const { scanned, taken } = this.#lastScan;
    const { last } = this.#now().state;
    const sinceMs = scan === "first" ? (this.#firstDialAtMs ?? 0) : null;
    const report: CaughtUp = {
      ...{
        kind: "caught-up",
        shard: this.#shard,
        scanned,
        applied: BigInt(taken),
        healed: 0n,
        why,
      },
      tookMs: sinceMs === null ? tookMs : (last?.caughtUpAtMs ?? 0) - sinceMs,
    };
    if (scan === "beside" && taken > 0) {
      this.#tellWaiting();
      this.#waiting = { report, healedBefore: this.counts.healed };
    } else this.#send(report);
    this.snapshot();
  }

  /** So many slots of the last scan may still come by the stream. */
  healing(left: number): void {
    if (left === 0) this.#tellWaiting();
  }

  #tellWaiting(): void {
    if (this.#waiting === null) return;
    const { report, healedBefore } = this.#waiting;
    this.#waiting = null;
    this.#send({ ...report, healed: BigInt(this.counts.healed - healedBefore) });
  }

  ended(error: PlainError | null): void {
    this.#tellWaiting();
    if (error !== null) this.counts.lastError = error.message;
    this.snapshot();
    const { unclean } = this.#now();
    this.#send({ kind: "ended", shard: this.#shard, error, unclean });
  }

  // ---- snapshots ----

  /**
   * Something moved: in a scan a snapshot if the last one is old enough. A stream's figures go with the tick alone: 7 % of the
   * processor time at 1,000 puts a second.
   */
  moved(connection: Connection): void {
    if (connection.isWhole || connection.kind === null) return;
    if (this.#clock.nowMs() - this.#snapshotAtMs >= SNAPSHOT_INTERVAL_MS) this.snapshot();
  }

  snapshot(): void {
    this.#send({ kind: "snapshot", snapshot: this.#taken() });
  }

  /** What the machine knows now is to be durable. */
  save(): void {
    this.#send({ kind: "save", snapshot: this.#taken() });
  }

  #taken(): ShardSnapshot {
    const nowMs = this.#clock.nowMs();
    this.#snapshotAtMs = nowMs;
    const { state, body, slotLast, work } = this.#now();
    this.#progress = progressOf(this.#progress, state, slotLast);
    const { main } = state;
    if (main.at === "streaming" && main.stream.is === "live") this.counts.streams(nowMs);
    const snapshot = snapshotOf(state, this.counts, this.#saved, body, slotLast, work, nowMs);
    return { ...snapshot, progress: this.#progress };
  }
}
