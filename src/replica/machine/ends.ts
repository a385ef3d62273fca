// What becomes of the main connection when it is over: which debts arise, how soon another is made and with which
// protocol, or that the shard ends. The table of ends, with leader-trouble.ts for its rows and pauses.ts for its times.
// Pure.

import type { PlainError } from "../../errors.ts";
import { logReason, type Turn } from "./actions.ts";
import { leaveBeside } from "./beside.ts";
import { ask, freePlace, giveUp } from "./connections.ts";
import type { ConnectionEnd } from "./inputs.ts";
import { type LeaderTrouble, misfitTrouble, troubleOf } from "./leader-trouble.ts";
import { owe } from "./owed.ts";
import { afterStream, backoff, ownRest, soonOrBackoff } from "./pauses.ts";
import type { Ending, MainLink, ShardState } from "./types.ts";

/** Past this a larger window gains nothing. */
const WINDOW_ACKS_MAX = 256;
/** What says that it does not fit is believed after so long, where it did fit before in this run. */
const INCOMPATIBLE_MS = 5 * 60 * 1_000;

/** Asks for the next main connection, with what the leader named last. */
export function askMain(state: ShardState, turn: Turn): ShardState {
  const { leader, links } = state;
  return { ...state, main: ask(state, leader.named ?? leader.protocol, turn), links: links + 1 };
}

/** The main connection ended by itself, or the leader ended it. */
export function mainEnded(
  state: ShardState,
  main: MainLink,
  end: ConnectionEnd,
  turn: Turn,
): ShardState {
  const trouble = troubleOf(end, main.protocol, main.at !== "dialing", state.settings);
  freePlace(main, turn);
  const owing = debtsAfter(leaveMain(state, turn), main, trouble, turn.nowMs);
  return answer(gapAfter(owing, main, trouble), trouble, turn);
}

/** The leader's ShardInfo is that of another database: closed here, then as if the leader had said so. */
export function misfits(state: ShardState, misfit: PlainError, turn: Turn): ShardState {
  giveUp(state.main, turn);
  return answer(leaveMain(state, turn), misfitTrouble(misfit), turn);
}

/** Protocol 2 scans by opening the connection again: closed here, almost at once asked for anew. */
export function closeForScan(state: ShardState, turn: Turn): ShardState {
  giveUp(state.main, turn);
  return { ...leaveMain(state, turn), main: ownRest(turn) };
}

/** The shard ends: nothing is asked for any more, its files are closed, and `end` follows when they are. */
export function finish(state: ShardState, ending: Ending, turn: Turn): ShardState {
  giveUp(state.main, turn);
  return over(leaveMain(state, turn), ending, turn);
}

function over(state: ShardState, ending: Ending, turn: Turn): ShardState {
  return closeFiles({ ...state, main: { at: "over" }, ending }, turn);
}

/** Closes what is open of a shard that is over, clean unless the disk is not to be trusted. */
export function closeFiles(state: ShardState, { actions }: Turn): ShardState {
  if (state.files !== "open") return state;
  actions.push({ kind: state.ending?.abandons === true ? "abandonFiles" : "closeFiles" });
  return { ...state, files: "closing" };
}

/**
 * What hangs on the main connection goes with it: the scan beside, the run of batches, the calendar. The next scan
 * begins all.
 */
function leaveMain(state: ShardState, turn: Turn): ShardState {
  const { main, pauses } = state;
  const streamedMs = main.at === "streaming" ? turn.nowMs - main.sinceMs : 0;
  const fallen = { ...pauses, main: afterStream(pauses.main, streamedMs) };
  return { ...leaveBeside(state, turn), run: null, scheduledAtMs: null, pauses: fallen };
}

function debtsAfter(
  state: ShardState,
  main: MainLink,
  trouble: LeaderTrouble,
  nowMs: number,
): ShardState {
  const isCut = main.at === "scanning" || main.at === "confirming";
  const next = isCut ? owe(state, "cut", nowMs) : state;
  const isPastScan = main.at === "confirming" || main.at === "streaming";
  return isPastScan && trouble.kind === "dropped" ? owe(next, "loss", nowMs) : next;
}

function gapAfter(state: ShardState, main: MainLink, trouble: LeaderTrouble): ShardState {
  const { leader } = state;
  if (!("stream" in main) || trouble.kind === "own") return state;
  // Also where it was taken for polling: that may have been a stream whose proof was late.
  return { ...state, leader: { ...leader, hasGap: true, streamWasLost: true } };
}

/** Goes to what follows that trouble. */
function answer(state: ShardState, trouble: LeaderTrouble, turn: Turn): ShardState {
  if (trouble.kind === "own") return { ...state, main: ownRest(turn) };
  const noted = note(state, trouble, turn);
  switch (trouble.kind) {
    case "busy":
      return rest(noted, soonOrBackoff, turn);
    case "dropped":
      return rest(moreAhead(noted), soonOrBackoff, turn);
    case "other-protocol": {
      const next = { ...noted, leader: { ...noted.leader, named: trouble.named } };
      // A second one in a row contradicts the first: what it names is asked for, but not at once.
      return noted.leader.named === null ? askMain(next, turn) : rest(next, backoff, turn);
    }
    case "incompatible":
      return doesNotFit(noted, trouble.error, turn);
    case "not-a-leader":
      if (!state.settings.once) return rest(noted, backoff, turn);
      return over(noted, { error: trouble.error, abandons: false }, turn);
    case "retry":
      return rest(noted, backoff, turn);
  }
}

/** Keeps the reason, and says it once. Anything but `it does not fit` begins those five minutes anew. */
function note(
  state: ShardState,
  trouble: Exclude<LeaderTrouble, { kind: "own" }>,
  turn: Turn,
): ShardState {
  const { text } = trouble;
  if (state.trouble?.text !== text) logReason(turn, "main", text);
  const stalled = trouble.kind === "retry" && trouble.stalled;
  const next = { ...state, trouble: { text, stalled } };
  if (trouble.kind === "incompatible") return next;
  return { ...next, leader: { ...state.leader, incompatibleSinceMs: null } };
}

function rest(state: ShardState, pauseOf: typeof backoff, turn: Turn): ShardState {
  const { resting, pause } = pauseOf(state.pauses.main, turn);
  return reconnect({ ...state, main: resting, pauses: { ...state.pauses, main: pause } });
}

function reconnect(state: ShardState): ShardState {
  const { counts } = state;
  return { ...state, counts: { ...counts, reconnects: counts.reconnects + 1 } };
}

/** The scan was too slow for what is written meanwhile: more acks ahead, unless it is slow by order. */
function moreAhead({ leader, settings, ...rest }: ShardState): ShardState {
  const most = Math.max(WINDOW_ACKS_MAX, leader.windowAcks);
  const wider = Math.min(leader.windowAcks * 2, most);
  const windowAcks = settings.isRateLimited ? leader.windowAcks : wider;
  return { ...rest, settings, leader: { ...leader, dropsTold: true, windowAcks } };
}

/** At the first contact it is an operator's mistake; later perhaps somebody else who answers on that port. */
function doesNotFit(state: ShardState, error: PlainError, turn: Turn): ShardState {
  const { leader, settings } = state;
  const incompatibleSinceMs = leader.incompatibleSinceMs ?? turn.nowMs;
  const isProved = turn.nowMs - incompatibleSinceMs >= INCOMPATIBLE_MS;
  if (settings.once || !leader.hasAnswered || isProved) {
    return over(state, { error, abandons: false }, turn);
  }
  return rest({ ...state, leader: { ...leader, incompatibleSinceMs } }, backoff, turn);
}
