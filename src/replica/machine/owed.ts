// The one owner of what a shard owes: a whole scan that began later than the moment at which events may have been lost,
// or slots were seen that need another look. Strongest reason first; each joins what is owed already, and nothing but a
// whole scan pays. Also here: the runs of full batches that hide a loss (wire.md, point 21), and the calendar. Pure.

import type { Connection, Owed, OwedWhy, ShardState } from "./types.ts";

/** Strongest first. */
export const OWED_WHYS: readonly OwedWhy[] = [
  "loss",
  "cut",
  "accept",
  "settle",
  "old-ring",
  "asked",
  "calendar",
];
const KNOWN_TO_ONCE: readonly OwedWhy[] = ["cut", "accept", "settle"];

/** What is in flight is to land before a scan looks again. */
const DUE_AFTER_MS: Readonly<Record<OwedWhy, number>> = {
  loss: 1_000,
  cut: 0,
  accept: 0,
  settle: 1_000,
  "old-ring": 2_000,
  asked: 0,
  calendar: 0,
};
/** While polling, scanning takes at most a fifth of the time. */
const POLL_PAUSE_PER_SCAN = 4;

/** Owes a whole scan that begins after the input under way. */
export function owe(
  state: ShardState,
  why: OwedWhy,
  nowMs: number,
  sinceMs: number = nowMs,
): ShardState {
  if (state.settings.once && !KNOWN_TO_ONCE.includes(why)) return state;
  const arisen: Owed = {
    why,
    since: state.inputs + 1,
    sinceMs,
    notBeforeMs: nowMs + DUE_AFTER_MS[why],
    holdsReady: why === "accept" || why === "settle",
  };
  return { ...state, owed: state.owed === null ? arisen : joined(state.owed, arisen) };
}

function joined(owed: Owed, later: Owed): Owed {
  const isStronger = OWED_WHYS.indexOf(later.why) < OWED_WHYS.indexOf(owed.why);
  return {
    why: isStronger ? later.why : owed.why,
    since: Math.max(owed.since, later.since),
    sinceMs: Math.min(owed.sinceMs, later.sinceMs),
    notBeforeMs: earliest(owed.notBeforeMs, later.notBeforeMs),
    holdsReady: owed.holdsReady || later.holdsReady,
  };
}

/** The earlier of two times, null being none. */
export function earliest(one: number | null, other: number | null): number | null {
  if (one === null) return other;
  return other === null ? one : Math.min(one, other);
}

/** What is left of a debt after a whole scan that was dialed at this input. */
export function leftOf(owed: Owed | null, dialedAt: number): Owed | null {
  return owed !== null && dialedAt > owed.since ? null : owed;
}

/**
 * A live batch came: begins, prolongs or ends a run. What a run hides was written after all was here last, which may be
 * long before the run came through: at the earliest when the connection was dialed, whose scan shows the rest.
 */
export function afterBatch(
  state: ShardState,
  { beganAtMs }: Pick<Connection, "beganAtMs">,
  batch: { readonly events: number; readonly full: boolean; readonly heldAtMs: number | null },
  nowMs: number,
): ShardState {
  if (state.run === null && !batch.full) return state;
  const sinceMs = state.run?.sinceMs ?? Math.max(beganAtMs, batch.heldAtMs ?? beganAtMs);
  // The batch that is not full counts too: of a full ring it brings what is left over, so that smaller batches come to
  // 8,000.
  const events = (state.run?.events ?? 0) + batch.events;
  const next = { ...state, run: batch.full ? { sinceMs, events } : null };
  if (events < state.settings.runEventsSuspect) return next;
  return suspected(next, nowMs, sinceMs);
}

/** A heartbeat came, so the leader's ring was empty: a run is over. Time alone never ends one. */
export function afterHeartbeat(state: ShardState, nowMs: number): ShardState {
  const { run } = state;
  if (run === null) return state;
  const next = { ...state, run: null };
  return run.events < state.settings.runEventsSuspect ? next : suspected(next, nowMs, run.sinceMs);
}

/**
 * The run that just moved or ended may have hidden a loss. While it goes on no scan that begins could pay, as each
 * batch moves `since` past it: what is owed waits for its end, also what was due before, or one scan would follow the
 * other in vain.
 */
function suspected(state: ShardState, nowMs: number, sinceMs: number): ShardState {
  const next = owe(state, "loss", nowMs, sinceMs);
  if (next.owed === null || next === state) return next;
  const notBeforeMs = state.run === null ? nowMs + DUE_AFTER_MS.loss : null;
  return { ...next, owed: { ...next.owed, notBeforeMs } };
}

/**
 * When the scan that is owed may begin: never while a connection is not past its own scan, is not judged yet, or
 * another scan is on its way. Null: not by time.
 */
export function payAtMs({ main, beside, last, owed }: ShardState): number | null {
  if (main.at !== "streaming" || owed === null || owed.notBeforeMs === null) return null;
  if (last?.isJudged !== true) return null;
  if (main.protocol === 2 || beside.at === "none") return owed.notBeforeMs;
  return beside.at === "resting" ? Math.max(owed.notBeforeMs, beside.untilMs) : null;
}

/** When the calendar asks for the next scan. It has no say while a connection is not past its own. */
export function calendarAtMs({ main, last, scheduledAtMs }: ShardState): number | null {
  return main.at === "streaming" && last?.isJudged === true ? scheduledAtMs : null;
}

/**
 * Sets the calendar, unless a scan is coming anyway. One that waits for the end of a run is not: a run that never ends,
 * since the network is slower than the writes, must not keep --resync away.
 */
export function schedule(state: ShardState, nowMs: number): ShardState {
  const { settings, main, last, owed } = state;
  if (settings.once || main.at !== "streaming" || last === null) return state;
  if (owed !== null && owed.notBeforeMs !== null) return state;
  const tookMs = last.caughtUpAtMs - last.beganAtMs;
  const delayMs =
    main.stream.is === "polling"
      ? Math.max(settings.pollMs, POLL_PAUSE_PER_SCAN * tookMs)
      : settings.resyncMs;
  return { ...state, scheduledAtMs: delayMs === null ? null : nowMs + delayMs };
}

/** The calendar's time has come: it owes a scan, unless one is coming anyway. */
export function afterCalendar(state: ShardState, nowMs: number): ShardState {
  const atMs = calendarAtMs(state);
  if (atMs === null || nowMs < atMs) return state;
  const next = { ...state, scheduledAtMs: null };
  const isComing = state.owed !== null && state.owed.notBeforeMs !== null;
  return isComing ? next : owe(next, "calendar", nowMs);
}
