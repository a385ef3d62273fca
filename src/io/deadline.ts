// A limit on how long somebody else may take. It counts our own pauses out: when it falls due late we were held up ourselves (Ctrl-Z, a
// paused machine), what was waited for may lie unread, and the time begins anew. Used by whoever waits for one answer.

import type { Clock, Timer } from "./clock.ts";

/** A timer that comes later than this says more of us than of anybody else. */
export const LATE_MS = 2_000;

/** Calls `over` once `limitMs` have passed in which we were there to hear an answer. */
export function deadline(clock: Clock, limitMs: number, over: () => void): Timer {
  const begin = (): Timer => {
    const dueMs = clock.nowMs() + limitMs;
    return clock.after(limitMs, () => {
      if (clock.nowMs() - dueMs <= LATE_MS) over();
      else timer = begin();
    });
  };
  let timer = begin();
  return { cancel: () => timer.cancel() };
}
