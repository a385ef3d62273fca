// What becomes of the main connection when it is over: which debts arise, how soon another is made and with which protocol, or
// that the shard ends. The table of ends, with leader-trouble.ts for its rows and pauses.ts for its times. Pure.

import type { PlainError } from "../../errors.ts";
import type { Action } from "./actions.ts";
import { leaveBeside } from "./beside.ts";
import { ask, freePlace, giveUp } from "./connections.ts";
import type { Input, LinkInput } from "./inputs.ts";
import { type LeaderTrouble, misfitTrouble, troubleOf } from "./leader-trouble.ts";
import { owe } from "./owed.ts";
import { afterStream, backoff, ownRest, soonOrBackoff } from "./pauses.ts";
import type { Dialing, Main, ShardState } from "./types.ts";

/** Past this a larger window gains nothing. */
const WINDOW_ACKS_MAX = 256;
/** What says that it does not fit is believed after so long, where it did fit before in this run. */
const INCOMPATIBLE_MS = 5 * 60 * 1_000;

type Linked = Exclude<Main, { at: "new" | "over" | "resting" | "asking" }>;
type Ending = NonNullable<ShardState["ending"]>;

/** Asks for the next main connection, with what the leader named last. */
export function askMain(state: ShardState, actions: Action[]): ShardState {
  const { leader, links } = state;
  return { ...state, main: ask(state, leader.named ?? leader.protocol, actions), links: links + 1 };
}

/** The main connection ended by itself, or the leader ended it. */
export function mainEnded(
  state: ShardState,
  main: Linked,
  { end, nowMs, chance }: Extract<LinkInput, { kind: "ended" }>,
  actions: Action[],
): ShardState {
  const trouble = troubleOf(end, main.protocol, main.at !== "dialing", state.settings);
  freePlace(main, actions);
  const left = leaveMain(state, nowMs, actions);
  const next = gapAfter(debtsAfter(left, main, trouble, nowMs), main, trouble);
  return answer(next, trouble, { nowMs, chance }, actions);
}

/** The leader's ShardInfo is that of another database: closed here, then as if the leader had said so. */
export function misfits(
  state: ShardState,
  main: Dialing,
  misfit: PlainError,
  input: Input,
  actions: Action[],
): ShardState {
  giveUp(main, actions);
  return answer(leaveMain(state, input.nowMs, actions), misfitTrouble(misfit), input, actions);
}

/** Protocol 2 scans by opening the connection again: closed here, at once asked for anew. */
export function closeForScan(state: ShardState, nowMs: number, actions: Action[]): ShardState {
  giveUp(state.main, actions);
  return { ...leaveMain(state, nowMs, actions), main: ownRest(nowMs) };
}

/** The shard ends: nothing is asked for any more, its files are closed, and `end` follows when they are. */
export function finish(
  state: ShardState,
  ending: Ending,
  nowMs: number,
  actions: Action[],
): ShardState {
  giveUp(state.main, actions);
  return over(leaveMain(state, nowMs, actions), ending, actions);
}

function over(state: ShardState, ending: Ending, actions: Action[]): ShardState {
  return closeFiles({ ...state, main: { at: "over" }, ending }, actions);
}

/** Closes what is open of a shard that is over, clean unless the disk is not to be trusted. */
export function closeFiles(state: ShardState, actions: Action[]): ShardState {
  if (state.files !== "open") return state;
  actions.push({ kind: state.ending?.abandons === true ? "abandonFiles" : "closeFiles" });
  return { ...state, files: "closing" };
}

/** What hangs on the main connection goes with it: the scan beside, the run of batches, the calendar. The next scan begins all. */
function leaveMain(state: ShardState, nowMs: number, actions: Action[]): ShardState {
  const { main, pauses } = state;
  const streamedMs = main.at === "streaming" ? nowMs - main.sinceMs : 0;
  const fallen = { ...pauses, main: afterStream(pauses.main, streamedMs) };
  return { ...leaveBeside(state, actions), run: null, scheduledAtMs: null, pauses: fallen };
}

function debtsAfter(
  state: ShardState,
  main: Linked,
  trouble: LeaderTrouble,
  nowMs: number,
): ShardState {
  const isCut = main.at === "scanning" || main.at === "confirming";
  const next = isCut ? owe(state, "cut", nowMs) : state;
  const isPastScan = main.at === "confirming" || main.at === "streaming";
  return isPastScan && trouble.kind === "dropped" ? owe(next, "loss", nowMs) : next;
}

function gapAfter(state: ShardState, main: Linked, trouble: LeaderTrouble): ShardState {
  const { leader } = state;
  if (main.at !== "confirming" && main.at !== "streaming") return state;
  if (trouble.kind === "own") return state;
  const hasGap = leader.hasGap || main.stream.is !== "polling";
  return { ...state, leader: { ...leader, hasGap, streamWasLost: true } };
}

/** Goes to what follows that trouble. */
function answer(
  state: ShardState,
  trouble: LeaderTrouble,
  moment: Pick<Input, "nowMs" | "chance">,
  actions: Action[],
): ShardState {
  if (trouble.kind === "own") return { ...state, main: ownRest(moment.nowMs) };
  const noted = note(state, trouble, actions);
  switch (trouble.kind) {
    case "busy":
      return rest(noted, soonOrBackoff, moment);
    case "dropped":
      return rest(moreAhead(noted), soonOrBackoff, moment);
    case "other-protocol": {
      const leader = { ...noted.leader, named: trouble.named };
      const next = { ...noted, leader };
      // A second one in a row contradicts the first: what it names is asked for, but not at once.
      return noted.leader.named === null
        ? reconnect(askMain(next, actions))
        : rest(next, backoff, moment);
    }
    case "incompatible":
      return doesNotFit(noted, trouble.error, moment, actions);
    case "not-a-leader":
      if (!state.settings.once) return rest(noted, backoff, moment);
      return over(noted, { error: trouble.error, abandons: false }, actions);
    case "retry":
      return rest(noted, backoff, moment);
  }
}

/** Keeps the reason, and says it once. Anything but `it does not fit` begins those five minutes anew. */
function note(
  state: ShardState,
  trouble: Exclude<LeaderTrouble, { kind: "own" }>,
  actions: Action[],
): ShardState {
  const { text } = trouble;
  if (state.trouble?.text !== text) {
    actions.push({ kind: "report", report: { kind: "log", level: "warn", text } });
  }
  const stalled = trouble.kind === "retry" && trouble.stalled;
  const leader = { ...state.leader };
  if (trouble.kind !== "incompatible") leader.incompatibleSinceMs = null;
  return { ...state, leader, trouble: { text, stalled } };
}

function rest(
  state: ShardState,
  pauseOf: typeof backoff,
  { nowMs, chance }: Pick<Input, "nowMs" | "chance">,
): ShardState {
  const { resting, pause } = pauseOf(state.pauses.main, nowMs, chance);
  return reconnect({ ...state, main: resting, pauses: { ...state.pauses, main: pause } });
}

function reconnect(state: ShardState): ShardState {
  const { counts } = state;
  return { ...state, counts: { ...counts, reconnects: counts.reconnects + 1 } };
}

/** The scan was too slow for what is written meanwhile: more acks ahead, unless it is slow by order. */
function moreAhead(state: ShardState): ShardState {
  const { leader, settings } = state;
  const most = Math.max(WINDOW_ACKS_MAX, leader.windowAcks);
  const windowAcks = settings.isRateLimited
    ? leader.windowAcks
    : Math.min(leader.windowAcks * 2, most);
  return { ...state, leader: { ...leader, dropsTold: true, windowAcks } };
}

/** At the first contact it is an operator's mistake; later perhaps somebody else who answers on that port. */
function doesNotFit(
  state: ShardState,
  error: PlainError,
  moment: Pick<Input, "nowMs" | "chance">,
  actions: Action[],
): ShardState {
  const { leader, settings } = state;
  const sinceMs = leader.incompatibleSinceMs ?? moment.nowMs;
  const isProved = moment.nowMs - sinceMs >= INCOMPATIBLE_MS;
  if (settings.once || !leader.hasAnswered || isProved) {
    return over(state, { error, abandons: false }, actions);
  }
  return rest({ ...state, leader: { ...leader, incompatibleSinceMs: sinceMs } }, backoff, moment);
}
