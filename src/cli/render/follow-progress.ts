// How far a follower has come: on a terminal a row for each shard all the time, elsewhere a line while a scan runs that somebody
// waits for. What is shown is made of the last snapshots. Used by follow-display.ts.

import type { ShardSnapshot, ShardState, SyncPolicy } from "../../replica/follower-types.ts";
import { type CatchUp, catchUpOf, catchUpOfAll } from "../../status/catch-up-shown.ts";
import { lagMs } from "../../status/lag.ts";
import { isRoutine } from "../../status/scan-words.ts";
import { catchUpParts, catchUpText, leftText } from "../../status/status-line.ts";
import { escapeText } from "../surface/escape.ts";
import { formatCount, formatCounted, formatDuration } from "../surface/numbers.ts";
import type { Screen, ScreenRow, Telling } from "../surface/surface.ts";
import { colourOfState, STATES_BY_NEED } from "./shard-states.ts";

export interface FollowProgressOptions {
  readonly telling: Telling;
  readonly sync: SyncPolicy;
  nowMs(): number;
  shardCount(): number;
}

export class FollowProgress {
  readonly #options: FollowProgressOptions;
  readonly #scanning = new Set<number>();
  /** Every shard has caught up: from here on scans that come by themselves are nobody's business. */
  #isReady = false;

  constructor(options: FollowProgressOptions) {
    this.#options = options;
  }

  /** One shard is as it says; all of them are asked for when it is time to tell. */
  update(snapshot: ShardSnapshot, snapshots: () => readonly ShardSnapshot[]): void {
    const { telling, nowMs, sync, shardCount } = this.#options;
    const { scan, shard } = snapshot;
    const isAwaited = isScanning(scan) && !(this.#isReady && isRoutine(scan.why));
    if (isAwaited && this.#scanning.size === 0) telling.begin();
    if (isAwaited) this.#scanning.add(shard);
    else this.#scanning.delete(shard);
    if (!telling.isDrawn && this.#scanning.size === 0) return;
    if (!telling.isDue()) return;
    const facts = { shards: snapshots(), shardCount: shardCount(), sync, nowMs: nowMs() };
    telling.tell({
      line: () => followLine(facts),
      object: () => followObject(facts.shards, facts.shardCount),
      screen: () => followScreen(facts),
    });
  }

  ready(): void {
    this.#isReady = true;
  }

  end(): void {
    this.#options.telling.end();
  }
}

/** It brings records: one that waits for its sign of life does not. */
export function isScanning(scan: ShardSnapshot["scan"]): scan is NonNullable<typeof scan> {
  return scan?.phase === "scanning";
}

/** What there is to tell of a follower. */
interface FollowFacts {
  readonly shards: readonly ShardSnapshot[];
  readonly shardCount: number;
  readonly sync: SyncPolicy;
  readonly nowMs: number;
}

/** Of all shards, those that have not said anything too. */
function catchUpOfFollower(shards: readonly ShardSnapshot[], shardCount: number): CatchUp | null {
  const known = shards.map((shard) => {
    const { slots, scan, scansDone: scansTotal } = shard;
    return { slots, scan, scansTotal, catchUp: catchUpOf(shard) };
  });
  const silent = Math.max(0, shardCount - known.length);
  const unknown = { slots: null, scan: null, scansTotal: null, catchUp: null };
  return catchUpOfAll([...known, ...Array.from({ length: silent }, () => unknown)]);
}

/** `replicate: catch-up 2.6 %, 26,000 records/s, 2 m left; 3 scanning, 1 live`. */
function followLine({ shards, shardCount }: FollowFacts): string {
  return `replicate: ${catchUpText(catchUpOfFollower(shards, shardCount))}; ${countsText(shards)}`;
}

/** The same for scripts. */
export function followObject(shards: readonly ShardSnapshot[], shardCount: number): unknown {
  return {
    schema: 1,
    type: "progress",
    catchUp: catchUpOfFollower(shards, shardCount),
    shards: shards.map((snapshot) => {
      const { shard, state, scanned, slots, occupied, appliedTotal } = snapshot;
      return {
        ...{ shard, state, scanned: String(scanned), slots, occupied },
        ...{ appliedTotal: String(appliedTotal), catchUp: catchUpOf(snapshot) },
      };
    }),
  };
}

/** The same for a terminal. */
function followScreen(facts: FollowFacts): Screen {
  const { shards, shardCount } = facts;
  const catchUp = catchUpParts(catchUpOfFollower(shards, shardCount));
  const live = shards.filter(({ state }) => state === "live").length;
  const all = `${formatCount(live)} of ${formatCounted(shardCount, "shard")} live`;
  const isAllLive = live === shardCount;
  const lag = isAllLive ? worstLag(facts) : "";
  const others = isAllLive ? "" : countsText(shards.filter(({ state }) => state !== "live"));
  return {
    title: "replicate",
    parts: [...catchUp, all, others, lag],
    rows: shards.map((snapshot) => rowOf(snapshot, facts)),
  };
}

/** `3 scanning, 1 live`. */
function countsText(shards: readonly ShardSnapshot[]): string {
  const counts = new Map<ShardState, number>();
  for (const { state } of shards) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${formatCount(count)} ${state}`).join(", ");
}

function rowOf(snapshot: ShardSnapshot, facts: FollowFacts): ScreenRow {
  const { shard, state, ownWork } = snapshot;
  const catchUp = catchUpOf(snapshot);
  // What our own disk takes is not the leader's scan.
  const isScan = state === "scanning" && ownWork === null;
  const share = isScan && catchUp !== null ? catchUp.share : null;
  const text = share === null ? doingText(snapshot, facts) : scanText(snapshot, catchUp);
  const colour = share === null ? colourOfState(state) : "cyan";
  const rank = STATES_BY_NEED.indexOf(state);
  return { label: `shard ${shard}`, state, colour, rank, share, text };
}

function scanText({ scanned }: ShardSnapshot, catchUp: CatchUp | null): string {
  const records = `${formatCount(scanned ?? 0)} ${scanned === 1 ? "record" : "records"}`;
  const leftMs = catchUp?.leftMs ?? 0;
  if (leftMs === 0) return records;
  return `${records}, ${catchUp?.leftIsMost === true ? "at most " : ""}${leftText(leftMs)} left`;
}

function doingText(snapshot: ShardSnapshot, facts: FollowFacts): string {
  const { state, activity, ownWork } = snapshot;
  if (ownWork === null && (state === "live" || state === "polling"))
    return lagText(lagOf(snapshot, facts));
  return escapeText(activity);
}

function lagOf(snapshot: ShardSnapshot, { nowMs, sync }: FollowFacts): number | null {
  return lagMs(snapshot, snapshot.shownAtMs, nowMs, sync);
}

function worstLag(facts: FollowFacts): string {
  const lags = facts.shards.map((shard) => lagOf(shard, facts) ?? Number.POSITIVE_INFINITY);
  return lagText(Math.max(0, ...lags));
}

function lagText(ms: number | null): string {
  return ms === null || !Number.isFinite(ms) ? "never caught up" : `lag ${formatDuration(ms)}`;
}
