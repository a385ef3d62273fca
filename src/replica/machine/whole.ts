// What a whole scan means, on the main connection or beside it: it pays, it is judged, and the judgement may owe the next one. In
// between nothing is decided, so that a verdict is never taken for another scan's. Pure.

import type { Action } from "./actions.ts";
import type { Input } from "./inputs.ts";
import { leftOf, owe, schedule } from "./owed.ts";
import { isReady } from "./shown.ts";
import type { Confirming, ShardState } from "./types.ts";

/** Scans in a row for slots that wait for a second look; what they leave waits for the calendar. */
const SETTLING_SCANS_MAX = 3;

/** The leader gave a sign of life after a CaughtUp that added up. */
export function whole(state: ShardState, scan: Confirming, actions: Action[]): ShardState {
  const { link, dialedAt, beganAtMs, caughtUpAtMs, kind, why } = scan;
  actions.push({ kind: "judge", link }, { kind: "sync", link });
  const { counts } = state;
  return {
    ...state,
    owed: leftOf(state.owed, dialedAt),
    last: {
      link,
      dialedAt,
      beganAtMs,
      caughtUpAtMs,
      kind,
      why,
      isJudged: false,
      wasReady: isReady(state),
    },
    counts: { ...counts, scans: counts.scans + 1 },
  };
}

/** The judge's verdict on the last whole scan. Also noted when the shard is over: what differs is never forgotten. */
export function judged(
  state: ShardState,
  { link, suspects, diverged, nowMs }: Extract<Input, { kind: "judged" }>,
  actions: Action[],
): ShardState {
  const { last } = state;
  if (last === null || last.link !== link || last.isJudged) return state;
  const next = { ...state, suspects, diverged, last: { ...last, isJudged: true } };
  if (state.main.at === "over") return next;
  const { kind: scan, why, caughtUpAtMs, beganAtMs } = last;
  const tookMs = caughtUpAtMs - beganAtMs;
  const report = { kind: "caught-up", link, scan, why, tookMs, suspects, diverged } as const;
  actions.push({ kind: "report", report });
  const accepting = accept(next, nowMs, actions);
  return schedule(lookAgain(settle(accepting, nowMs), nowMs), nowMs);
}

/** --accept-leader: what is listed as lost is saved and not trusted any more, so that the next scan decides. */
function accept(state: ShardState, nowMs: number, actions: Action[]): ShardState {
  if (!state.accepting || state.diverged === 0) return state;
  actions.push({ kind: "acceptLeader" });
  return owe({ ...state, accepting: false }, "accept", nowMs);
}

function settle(state: ShardState, nowMs: number): ShardState {
  const { suspects, settlingScans } = state;
  if (suspects === 0) return settlingScans === 0 ? state : { ...state, settlingScans: 0 };
  if (settlingScans >= SETTLING_SCANS_MAX) return state;
  return owe({ ...state, settlingScans: settlingScans + 1 }, "settle", nowMs);
}

/** An L2 leader does not empty its ring between two followers, so what it drops meanwhile shows in the second scan only. */
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
