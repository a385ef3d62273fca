// What a whole scan means, on the main connection or beside it: it pays, it is judged, and the judgement may owe the
// next one. In between nothing is decided, so that a verdict is never taken for another scan's. Pure.

import type { Turn } from "./actions.ts";
import type { InputOf } from "./inputs.ts";
import { leftOf, owe, schedule } from "./owed.ts";
import { isReady } from "./shown.ts";
import type { Confirming, LastScan, ShardState } from "./types.ts";

/** Scans in a row for slots that wait for a second look; what they leave waits for the calendar. */
const SETTLING_SCANS_MAX = 3;

/** The leader gave a sign of life after a CaughtUp that added up. */
export function whole(state: ShardState, scan: Confirming, { actions }: Turn): ShardState {
  const { link, protocol, dialedAt, beganAtMs, caughtUpAtMs, kind, why } = scan;
  actions.push({ kind: "judge", link }, { kind: "sync", link });
  const of = { link, protocol, dialedAt, beganAtMs, caughtUpAtMs, kind, why };
  const last: LastScan = { ...of, isJudged: false, wasReady: isReady(state) };
  const counts = { ...state.counts, scans: state.counts.scans + 1 };
  return { ...state, owed: leftOf(state.owed, dialedAt), last, counts };
}

/** The judge's verdict on the last whole scan. Also noted when the shard is over: what differs is never forgotten. */
export function judged(state: ShardState, input: InputOf<"judged">, turn: Turn): ShardState {
  const { last } = state;
  const { link, suspects, diverged } = input;
  if (last === null || last.link !== link || last.isJudged) return state;
  const next = { ...state, suspects, diverged, last: { ...last, isJudged: true } };
  if (state.main.at === "over") return next;
  const { kind: scan, why, caughtUpAtMs, beganAtMs } = last;
  const took = { scan, why, tookMs: caughtUpAtMs - beganAtMs };
  const report = { kind: "caught-up", link, ...took, suspects, diverged } as const;
  turn.actions.push({ kind: "report", report });
  const settled = settle(accept(next, turn), turn.nowMs);
  return schedule(lookAgain(settled, turn.nowMs), turn.nowMs);
}

/**
 * --accept-leader: what is listed as lost is saved and not trusted any more, so that the next scan decides. Once in a
 * run, so what still waits for its second look is waited for: an earlier run lists the first of its slots only.
 */
function accept(state: ShardState, turn: Turn): ShardState {
  if (!state.accepting || state.diverged === 0) return state;
  if (state.suspects > 0 && state.settlingScans < SETTLING_SCANS_MAX) return state;
  turn.actions.push({ kind: "acceptLeader" });
  return owe({ ...state, accepting: false }, "accept", turn.nowMs);
}

function settle(state: ShardState, nowMs: number): ShardState {
  const { suspects, settlingScans } = state;
  if (suspects === 0) return settlingScans === 0 ? state : { ...state, settlingScans: 0 };
  if (settlingScans >= SETTLING_SCANS_MAX) return state;
  return owe({ ...state, settlingScans: settlingScans + 1 }, "settle", nowMs);
}

/**
 * An L2 leader does not empty its ring between two followers, so what it drops meanwhile shows in the second scan only.
 */
function lookAgain(state: ShardState, nowMs: number): ShardState {
  const { leader } = state;
  if (!leader.hasGap) return state;
  const next = { ...state, leader: { ...leader, hasGap: false } };
  return leader.protocol === 2 && !leader.dropsTold ? owe(next, "old-ring", nowMs) : next;
}

/** What was written by the end of a whole scan is durable. */
export function durable(state: ShardState, link: number): ShardState {
  const { last, durableLink, files } = state;
  if (last === null || link > last.link || link <= (durableLink ?? 0)) return state;
  if (files !== "open" && files !== "closing") return state;
  return { ...state, durableLink: link, complete: true };
}
