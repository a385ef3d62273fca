// How long a connection waits before it is tried again: almost at once where the leader asked for it, else 1 s doubling
// to 30 s, a tenth each way by chance. Both fall back only after a minute of live stream: an open port, a ShardInfo and
// a whole scan are what a broken leader gives again and again. Pure.

import { RECONNECT_DELAY_MS_MAX, RECONNECT_DELAY_MS_MIN, RECONNECT_JITTER } from "../../limits.ts";
import type { Turn } from "./actions.ts";
import type { Pause, Resting } from "./types.ts";

export const FIRST_PAUSE: Pause = { delayMs: RECONNECT_DELAY_MS_MIN, soonTries: 0 };

/** Pauses before a stream that was just given back is asked for again (wire.md, point 14). */
const SOON_DELAYS_MS: readonly number[] = [150, 300, 600, 1_200];
/** After our own close an L2 or L3 leader holds the stream for about 0.1 s. */
const OWN_DELAY_MS = 150;
const STREAMING_MS_TO_FALL_BACK = 60_000;

/** A pause, and what the next one is taken from. */
type Rest = { readonly resting: Resting; readonly pause: Pause };

/** The leader is not to be had. */
export function backoff(pause: Pause, { nowMs, chance }: Turn): Rest {
  const spread = 1 + RECONNECT_JITTER * (2 * chance - 1);
  const untilMs = nowMs + Math.round(pause.delayMs * spread);
  const delayMs = Math.min(pause.delayMs * 2, RECONNECT_DELAY_MS_MAX);
  return { resting: { at: "resting", untilMs, why: "backoff" }, pause: { ...pause, delayMs } };
}

/** The leader asks for another connection: almost at once, but what it asks again and again meets the backoff. */
export function soonOrBackoff(pause: Pause, turn: Turn): Rest {
  const delayMs = SOON_DELAYS_MS[pause.soonTries];
  if (delayMs === undefined) return backoff(pause, turn);
  const resting: Resting = { at: "resting", untilMs: turn.nowMs + delayMs, why: "soon" };
  return { resting, pause: { ...pause, soonTries: pause.soonTries + 1 } };
}

/** We closed it ourselves for a scan. */
export function ownRest({ nowMs }: Turn): Resting {
  return { at: "resting", untilMs: nowMs + OWN_DELAY_MS, why: "own" };
}

/** The pause after a stream that lasted so long. */
export function afterStream(pause: Pause, streamedMs: number): Pause {
  return streamedMs < STREAMING_MS_TO_FALL_BACK ? pause : FIRST_PAUSE;
}
