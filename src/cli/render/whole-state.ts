// How a follower is as a whole, in one line that is said when it changes: `3 of 4 shards live, 1 waiting (no connection:
// ECONNREFUSED)`. Pure: the time is passed in. Used by follow-log.ts, from the moment on at which all has caught up.
//
// What is worse is said at once; what is better when all is well, or for long enough. No news are a connection that is being made,
// scans that come by the calendar, and a stream that is lost again before it has lasted.

import type { ShardSnapshot, ShardState } from "../../replica/follower-types.ts";
import { isRoutine, scanWhyText } from "../../status/scan-words.ts";
import { escapeText } from "../surface/escape.ts";
import { formatCount, formatCounted } from "../surface/numbers.ts";
import { STATES_BY_NEED } from "./shard-states.ts";

/** The leader's heartbeats come as often: a stream that has lasted so long is one. */
const PROVEN_AFTER_MS = 5_000;
/** What is better is told of, though not all is well, after this. */
const BETTER_TOLD_MS = 30_000;
/** From one line to the next, longer each time while it goes on changing. */
const SPACE_MS_MIN = 1_000;
const SPACE_MS_MAX = 60_000;

interface Shard {
  /** As it counts now. */
  state: ShardState;
  /** Why it is not live; empty where there is nothing to say. */
  reason: string;
  /** It is well again since then, which is not proven yet. */
  better: { readonly state: ShardState; readonly sinceMs: number } | null;
}

/** What a line tells of: fewer that are well, or more in trouble, is worse. */
interface Counts {
  readonly live: number;
  /** Live or polling. */
  readonly well: number;
  readonly bad: number;
}

/** What is to be said now, and when to look again; null: nothing, and not by time. */
export interface WholeNews {
  readonly text: string | null;
  readonly againAtMs: number | null;
}

export class WholeState {
  readonly #shards = new Map<number, Shard>();
  /** Null: nothing is said yet. */
  #told: Counts | null = null;
  #toldAtMs = 0;
  #spaceMs = SPACE_MS_MIN;
  #betterSinceMs: number | null = null;

  /** Notes how a shard is; true when there may be news. */
  note(snapshot: ShardSnapshot, nowMs: number): boolean {
    const known = this.#shards.get(snapshot.shard);
    const state = stateOf(snapshot, known?.state ?? null);
    if (known?.state === state) {
      known.better = null;
      return false;
    }
    if (known !== undefined && isWell(state) && !isWell(known.state)) {
      known.better ??= { state, sinceMs: nowMs };
    } else {
      this.#shards.set(snapshot.shard, { state, reason: reasonOf(snapshot), better: null });
    }
    return this.#told !== null;
  }

  /** All has caught up: what is said from here on is what changes. A shard that is still to get its stream counts as live. */
  begin(nowMs: number): void {
    for (const [number, shard] of this.#shards) {
      const state = isUnderWay(shard.state) ? "live" : shard.state;
      this.#shards.set(number, { ...shard, state: shard.better?.state ?? state, better: null });
    }
    this.#told = this.#counts();
    this.#toldAtMs = nowMs;
  }

  /** What is to be said by now. */
  news(nowMs: number): WholeNews {
    if (this.#told === null) return { text: null, againAtMs: null };
    const provenAtMs = this.#prove(nowMs);
    const dueAtMs = this.#dueAtMs(this.#told, nowMs);
    if (dueAtMs === null) return { text: null, againAtMs: provenAtMs };
    if (nowMs < dueAtMs) {
      return { text: null, againAtMs: Math.min(dueAtMs, provenAtMs ?? dueAtMs) };
    }
    const wasQuiet = nowMs - this.#toldAtMs > 2 * SPACE_MS_MAX;
    this.#spaceMs = wasQuiet ? SPACE_MS_MIN : Math.min(this.#spaceMs * 2, SPACE_MS_MAX);
    this.#told = this.#counts();
    this.#toldAtMs = nowMs;
    this.#betterSinceMs = null;
    return { text: this.#text(), againAtMs: provenAtMs };
  }

  /** When it is to be told that things are other than they were told last; null: they are not. */
  #dueAtMs(told: Counts, nowMs: number): number | null {
    const { live, well, bad } = this.#counts();
    const spacedMs = this.#toldAtMs + this.#spaceMs;
    const isOther = well === told.well && live !== told.live;
    if (well < told.well || bad > told.bad || isOther) return spacedMs;
    if (well === told.well) {
      this.#betterSinceMs = null;
      return null;
    }
    this.#betterSinceMs ??= nowMs;
    const isAllWell = well === this.#shards.size;
    return isAllWell ? spacedMs : Math.max(spacedMs, this.#betterSinceMs + BETTER_TOLD_MS);
  }

  /** Takes those as well again that have been for long enough; when the next will have been. */
  #prove(nowMs: number): number | null {
    let nextAtMs: number | null = null;
    for (const [number, { better }] of this.#shards) {
      if (better === null) continue;
      const atMs = better.sinceMs + PROVEN_AFTER_MS;
      if (nowMs < atMs) nextAtMs = Math.min(atMs, nextAtMs ?? atMs);
      else this.#shards.set(number, { state: better.state, reason: "", better: null });
    }
    return nextAtMs;
  }

  #counts(): Counts {
    const states = [...this.#shards.values()].map(({ state }) => state);
    return {
      live: states.filter((state) => state === "live").length,
      well: states.filter(isWell).length,
      bad: states.filter((state) => !isWell(state) && !isUnderWay(state)).length,
    };
  }

  #text(): string {
    const shards = [...this.#shards.values()];
    const of = (wanted: ShardState) => shards.filter(({ state }) => state === wanted);
    const others = STATES_BY_NEED.filter((state) => state !== "live");
    const groups = others.map((state) => [state, of(state)] as const).filter(([, some]) => some[0]);
    const counts = groups.map(([state, some]) => `${formatCount(some.length)} ${state}`);
    const reason = groups[0]?.[1][0]?.reason ?? "";
    const live = `${formatCount(of("live").length)} of ${formatCounted(shards.length, "shard")} live`;
    return [live, ...counts].join(", ") + (reason === "" ? "" : ` (${reason})`);
  }
}

function isWell(state: ShardState): boolean {
  return state === "live" || state === "polling";
}

function isUnderWay(state: ShardState): boolean {
  return state === "connecting" || state === "scanning";
}

/** As it counts: the way to a connection says nothing yet, and a scan that comes by itself is no reason to worry. */
function stateOf({ state, scan }: ShardSnapshot, before: ShardState | null): ShardState {
  if (before === null) return state;
  if (state === "connecting") return before;
  if (state !== "scanning" || !isWell(before)) return state;
  return scan === null || isRoutine(scan.why) ? before : state;
}

function reasonOf({ state, activity, scan }: ShardSnapshot): string {
  if (isWell(state)) return "";
  if (state === "scanning") return scan === null ? "" : scanWhyText(scan.why);
  return escapeText(activity.replace(/; again in .*$/, ""));
}
