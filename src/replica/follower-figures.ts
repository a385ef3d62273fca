// The figures of one shard follower: its state, counters and times, and the reports that carry them to the host. Reports
// whole snapshots at most four times a second in a scan and once a second in a stream, state changes at once.

import type { PlainError } from "../errors.ts";
import type { Clock } from "../io/clock.ts";
import { DIVERGED_LISTED_MAX } from "../limits.ts";
import type { ProtocolVersion } from "../wire/messages.ts";
import type {
  DivergedSlot,
  FollowerHost,
  FollowerSettings,
  ShardSnapshot,
  ShardState,
} from "./follower-types.ts";
import type { ScanVerdict } from "./scan-judge.ts";
import type { ScanRun } from "./scan-run.ts";
import type { ShardBody } from "./shard-body.ts";
import type { ShardLink } from "../link/shard-link.ts";

const SNAPSHOT_INTERVAL_MS = 250;

export class FollowerFigures {
  readonly #shard: number;
  readonly #once: boolean;
  readonly #clock: Clock;
  readonly #host: FollowerHost;
  readonly #startedAtMs: number;
  #body: ShardBody | null = null;
  #state: ShardState = "connecting";
  #activity = "";
  #scan: ScanRun | null = null;
  #scanLink: ShardLink | null = null;
  #link: ShardLink | null = null;
  #bytesEarlier = 0;
  #diverged: readonly DivergedSlot[] = [];
  #divergedTotal = 0;
  #ready = false;
  #lastFrameAtMs: number | null = null;
  #lastFullScanAtMs: number | null = null;
  #currentAtMs: number | null = null;
  #lastError: string | null = null;
  #scanningMs = 0;
  #protocol: ProtocolVersion = 2;
  #snapshotAtMs = Number.NEGATIVE_INFINITY;
  #rescanned = 0;
  #resetsTold = 0;
  scansDone = 0;
  connections = 0;
  reconnects = 0;
  healed = 0;
  streaming: "live" | "polling" | null = null;
  lastScanTookMs: number | null = null;

  constructor(
    { shard, once }: Pick<FollowerSettings, "shard" | "once">,
    clock: Clock,
    host: FollowerHost,
  ) {
    this.#shard = shard;
    this.#once = once;
    this.#clock = clock;
    this.#host = host;
    this.#startedAtMs = clock.nowMs();
  }

  get current(): ShardState {
    return this.#state;
  }

  /** The shard's files are open from here on; says what is worth knowing of them. */
  opened(body: ShardBody, isNew: boolean): void {
    this.#body = body;
    const { reserved, loaded } = body.store;
    if (isNew && !reserved) {
      this.log(
        "warn",
        "this file system cannot reserve space: a full disk will only show at a write",
      );
    }
    if (!isNew && loaded.torn > 0) {
      this.log("warn", `${loaded.torn} torn slots on disk: the scan will mend them`);
    }
  }

  /** A state change is reported at once; the same state with other words only shows in the next snapshot. */
  state(state: ShardState, activity: string): void {
    const changed = state !== this.#state;
    this.#state = state;
    this.#activity = activity;
    if (!changed) return;
    this.#host.report({ kind: "state", shard: this.#shard, state, detail: activity });
    this.#snapshot();
  }

  /** The state of a shard whose connection is past its scan. */
  showStreaming(): void {
    if (this.#divergedTotal > 0) {
      this.state(
        "diverged",
        `${this.#divergedTotal} slots differ from the leader and are not older here`,
      );
    } else if (this.streaming === "polling") {
      const until = this.#once ? "one scan and no more" : "scanning again and again";
      this.state("polling", `${until}: no live stream to be had`);
    } else if (this.streaming === "live") this.state("live", "following the live stream");
  }

  showScanBeside(): void {
    this.#activity = "following, and scanning on a second connection";
  }

  log(level: "debug" | "info" | "warn", text: string): void {
    this.#host.report({ kind: "log", shard: this.#shard, level, text });
  }

  error(text: string): void {
    if (text !== this.#lastError) this.log("warn", text);
    this.#lastError = text;
  }

  resets(savedTotal: number): void {
    if (savedTotal === this.#resetsTold) return;
    const slots = savedTotal - this.#resetsTold;
    this.#resetsTold = savedTotal;
    this.log(
      "warn",
      `the leader reset ${slots} slots that were good here: saved in armdb-reset-${this.#shard}.log`,
    );
  }

  frame(link: ShardLink): void {
    this.#link = link;
    this.#lastFrameAtMs = link.lastFrameAtMs;
    this.#host.heard(link.lastFrameAtMs);
    if (this.streaming === "live") this.#currentAtMs = link.lastFrameAtMs;
    this.#protocol = link.session.protocol;
  }

  linkEnded(link: ShardLink): void {
    this.#bytesEarlier += link.bytesReceived;
    if (this.#scanLink === link && this.#scan !== null && this.#scan.caughtUpAtMs === null) {
      // A scan that was cut short: its time counts, and it takes no more.
      this.#scanningMs += this.#scan.tookMs(this.#clock.nowMs());
      this.#scan = null;
    }
    if (this.#link === link) {
      this.#link = null;
      this.streaming = null;
    }
  }

  scanBegan(scan: ScanRun, link: ShardLink): void {
    this.#scan = scan;
    this.#scanLink = link;
  }

  /** A whole scan came to its end. */
  scanDone(scan: ScanRun, verdict: ScanVerdict, firstConnectAtMs: number): void {
    const caughtUpAtMs = scan.caughtUpAtMs ?? this.#clock.nowMs();
    this.scansDone++;
    this.lastScanTookMs = caughtUpAtMs - scan.startedAtMs;
    this.#scanningMs += this.lastScanTookMs;
    this.#lastFullScanAtMs = scan.startedAtMs;
    this.#currentAtMs = Math.max(this.#currentAtMs ?? scan.startedAtMs, scan.startedAtMs);
    if (scan.kind === "rescan") this.#rescanned += scan.taken;
    this.#diverged = verdict.diverged.slice(0, DIVERGED_LISTED_MAX);
    this.#divergedTotal = verdict.diverged.length;
    if (this.#divergedTotal > 0) {
      const { diverged: slots } = verdict;
      const listed = slots.slice(0, DIVERGED_LISTED_MAX);
      this.#host.report({
        kind: "diverged",
        shard: this.#shard,
        slots: listed,
        total: slots.length,
      });
    }
    this.#host.report({
      kind: "caught-up",
      shard: this.#shard,
      scanned: this.#scanLink?.session.eventsScanned ?? 0n,
      applied: BigInt(scan.taken),
      healed: BigInt(this.healed),
      tookMs: caughtUpAtMs - (this.scansDone === 1 ? firstConnectAtMs : scan.startedAtMs),
    });
    this.#lastError = null;
    this.showStreaming();
    this.#snapshot();
  }

  /** What it caught up with is durable. */
  nowReady(protocol: ProtocolVersion): void {
    this.#ready = true;
    this.#host.report({ kind: "ready", shard: this.#shard, protocol });
    this.#snapshot();
  }

  ended(state: "stopped" | "failed", error: PlainError | null): void {
    this.state(state, error?.message ?? "stopped");
    this.#snapshot();
    this.#host.report({ kind: "ended", shard: this.#shard, error });
  }

  /**
   * Something moved: in a scan a snapshot if the last one is old enough. A stream's figures go with the tick alone: 7 % of the
   * processor time at 1,000 puts a second.
   */
  moved(): void {
    if (this.#scan === null || this.#scan.caughtUpAtMs !== null) return;
    if (this.#clock.nowMs() - this.#snapshotAtMs >= SNAPSHOT_INTERVAL_MS) this.#snapshot();
  }

  tick(): void {
    this.#snapshot();
  }

  #snapshot(): void {
    const nowMs = this.#clock.nowMs();
    this.#snapshotAtMs = nowMs;
    this.#host.report({ kind: "snapshot", snapshot: this.#figures(nowMs) });
  }

  #figures(nowMs: number): ShardSnapshot {
    const body = this.#body;
    const counters = body?.store.counters;
    const scanNow =
      this.#scan !== null && this.#scan.caughtUpAtMs === null ? this.#scan.tookMs(nowMs) : 0;
    return {
      shard: this.#shard,
      state: this.#state,
      activity: this.#activity,
      protocol: this.#protocol,
      slots: body?.store.slotCount ?? 0,
      occupied: body?.applier.occupied ?? 0,
      scanned: Number(this.#scanLink?.session.eventsScanned ?? 0n),
      scansDone: this.scansDone,
      bytesReceived: this.#bytesEarlier + (this.#link?.bytesReceived ?? 0),
      appliedTotal: body?.intake.appliedTotal ?? 0n,
      skippedTotal: body?.intake.skippedTotal ?? 0n,
      healedTotal: this.healed,
      rescannedTotal: this.#rescanned,
      replacedTotal: body?.intake.replacedTotal ?? 0,
      resetsSaved: body?.intake.resetsSaved ?? 0,
      tornLoaded: body?.store.loaded.torn ?? 0,
      divergedSlots: this.#divergedTotal,
      diverged: this.#diverged,
      reconnects: this.reconnects,
      connections: this.connections,
      lastFrameAtMs: this.#lastFrameAtMs,
      lastFullScanAtMs: this.#lastFullScanAtMs,
      lastFullScanTookMs: this.lastScanTookMs,
      streaming: this.streaming,
      currentAtMs: this.#currentAtMs,
      oldestUnsyncedAtMs: body?.store.oldestUnsyncedAtMs ?? null,
      ready: this.#ready,
      maxVersionSeen: body?.intake.maxVersionSeen ?? 0,
      slowWrites: counters?.slowWrites ?? 0,
      slowestWriteMs: counters?.slowestWriteMs ?? 0,
      scanningShare: (this.#scanningMs + scanNow) / Math.max(1, nowMs - this.#startedAtMs),
      lastError: this.#lastError,
    };
  }
}
