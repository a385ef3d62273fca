// The machine of one shard: what it does next, as a pure function of what it is in and what it is told. Used by the
// shard's follower, which performs the actions and keeps one timer for `wakeAtMs`. Total: every input in every state;
// what names an unknown connection changes nothing. Never reads a clock, rolls no dice, does no I/O.

import { type Action, log, type Outcome, type Turn } from "./actions.ts";
import { askBeside, toBeside } from "./beside.ts";
import { answered } from "./connections.ts";
import { askMain, closeForScan, finish } from "./ends.ts";
import { diskFailed, filesClosed, filesMade } from "./files.ts";
import type { Input, InputOf, LinkInput } from "./inputs.ts";
import { toMain } from "./main.ts";
import { afterCalendar, calendarAtMs, earliest, owe, payAtMs } from "./owed.ts";
import { FIRST_PAUSE } from "./pauses.ts";
import { isReady, reportedState, stateWord } from "./shown.ts";
import { probeAtMs, probeWhenDue, verdictHeldUp, withStream } from "./stream.ts";
import type { MachineSettings, ShardState } from "./types.ts";
import { durable, judged } from "./whole.ts";

const NO_ACTIONS: readonly Action[] = [];

/** Before `start`. */
export function initialState(settings: MachineSettings): ShardState {
  return {
    settings,
    inputs: 0,
    links: 0,
    files: "none",
    main: { at: "new" },
    beside: { at: "none" },
    owed: null,
    scheduledAtMs: null,
    run: null,
    leader: {
      protocol: settings.protocol,
      named: null,
      hasAnswered: false,
      dropsTold: false,
      windowAcks: settings.windowAcks,
      streamWasLost: false,
      hasGap: settings.followedBefore,
      incompatibleSinceMs: null,
    },
    pauses: { main: FIRST_PAUSE, beside: FIRST_PAUSE },
    last: null,
    durableLink: null,
    complete: null,
    suspects: 0,
    diverged: 0,
    settlingScans: 0,
    accepting: settings.acceptLeader,
    trouble: null,
    counts: { connections: 0, reconnects: 0, scans: 0 },
    ending: null,
  };
}

/** Takes one input. What changes nothing returns the same state and no actions. */
export function step(state: ShardState, input: Input): Outcome {
  if (isOver(state)) return [state, NO_ACTIONS];
  const actions: Action[] = [];
  const turn: Turn = { nowMs: input.nowMs, chance: input.chance, actions };
  const taken = take(state, input, turn);
  const isQuiet = taken === state && actions.length === 0 && input.kind !== "tick";
  const moved = isQuiet ? state : goOn(taken, turn);
  if (moved === state && actions.length === 0) return [state, NO_ACTIONS];
  const next = { ...moved, inputs: state.inputs + 1 };
  tellOthers(state, next, turn);
  return [next, actions];
}

/** When `tick` is due next, or null: then somebody else owes an answer, or nothing is to come. */
export function wakeAtMs(state: ShardState): number | null {
  const { main } = state;
  if (main.at === "resting") return main.untilMs;
  return earliest(probeAtMs(state), earliest(calendarAtMs(state), payAtMs(state)));
}

/** `end` was said. */
function isOver({ main, files }: ShardState): boolean {
  return main.at === "over" && files === "none";
}

function take(state: ShardState, input: Input, turn: Turn): ShardState {
  const isEnding = state.main.at === "over";
  switch (input.kind) {
    case "start":
      return start(state, input, turn);
    case "tick":
      return state;
    case "stop":
      return isEnding ? state : finish(state, { error: null, abandons: false }, turn);
    case "rescan":
      return isEnding ? state : owe(state, "asked", turn.nowMs);
    case "heldUp":
      return heldUp(state, input, turn);
    case "granted":
    case "held":
      return toRequest(state, input, turn);
    case "opened":
    case "shardInfo":
    case "caughtUp":
    case "whole":
    case "heartbeat":
    case "batch":
    case "ended":
      return toLink(state, input, turn);
    case "filesMade":
      return filesMade(state, input.error, turn);
    case "filesClosed":
      return filesClosed(state, input.error);
    case "diskFailed":
      return diskFailed(state, input.error, turn);
    case "durable":
      return durable(state, input.link);
    case "judged":
      return judged(state, input, turn);
    case "struck":
      return input.diverged < state.diverged ? { ...state, diverged: input.diverged } : state;
  }
}

function start(state: ShardState, { saved, hasFiles }: InputOf<"start">, turn: Turn): ShardState {
  if (state.main.at !== "new") return state;
  if (!hasFiles) return askMain(state, turn);
  const { complete, diverged, owed } = saved;
  const next: ShardState = { ...state, files: "open", complete, diverged };
  // What an earlier run owed arose before any scan of this one, so the first whole scan pays it.
  return askMain(owed === null ? next : owe(next, owed.why, owed.sinceMs), turn);
}

function toRequest(state: ShardState, input: InputOf<"granted" | "held">, turn: Turn): ShardState {
  const { main, beside } = state;
  if (main.at === "asking" && main.request === input.request) {
    return { ...state, main: answered(state, main, "main", input, turn) };
  }
  if (beside.at === "asking" && beside.request === input.request) {
    return { ...state, beside: answered(state, beside, "beside", input, turn) };
  }
  return state;
}

function toLink(state: ShardState, input: LinkInput, turn: Turn): ShardState {
  const { main, beside } = state;
  if ("link" in main && main.link === input.link) return toMain(state, main, input, turn);
  if ("link" in beside && beside.link === input.link) return toBeside(state, input, turn);
  return state;
}

function heldUp(
  state: ShardState,
  { ms, byWrite = false }: InputOf<"heldUp">,
  turn: Turn,
): ShardState {
  const { main } = state;
  const cause = byWrite ? "a write to its file took so long" : "stopped or starved";
  const text = `held up for ${Math.round(ms / 1000)} s (${cause})`;
  turn.actions.push({ kind: "report", report: { kind: "log", level: "warn", text, heldUpMs: ms } });
  if (!("stream" in main)) return state;
  return withStream(state, main, verdictHeldUp(main.stream, turn.nowMs), turn);
}

/** What is due by now: the next connect, the question for the stream, the calendar, a scan that is owed. */
function goOn(state: ShardState, turn: Turn): ShardState {
  const { main } = state;
  const { nowMs } = turn;
  if (main.at === "resting") return nowMs < main.untilMs ? state : askMain(state, turn);
  if (!("stream" in main)) return state;
  return pay(afterCalendar(probeWhenDue(state, turn), nowMs), turn);
}

/** Begins the scan that is owed: beside a protocol 1 stream, in the place of a protocol 2 one. */
function pay(state: ShardState, turn: Turn): ShardState {
  const atMs = payAtMs(state);
  if (atMs === null || turn.nowMs < atMs) return state;
  const isBeside = state.main.at === "streaming" && state.main.protocol === 1;
  return isBeside ? askBeside(state, turn) : closeForScan(state, turn);
}

/** What others are told of a change: first what is to be durable by the time that the rest is told, `end` last. */
function tellOthers(before: ShardState, after: ShardState, { nowMs, actions }: Turn): void {
  const { owed, leader, complete, diverged } = after;
  const isSame = complete === before.complete && diverged === before.diverged;
  const isSaved = isSame && leader.protocol === before.leader.protocol;
  // `start` brings what the state file has already.
  if (!isSaved && before.main.at !== "new") actions.push({ kind: "save" });
  if (owed !== null && owed.why !== before.owed?.why) {
    actions.push({ kind: "report", report: { kind: "owed", why: owed.why } });
  }
  if (stateWord(after) !== stateWord(before)) {
    actions.push({ kind: "report", report: reportedState(after, nowMs) });
  }
  if (isReady(after) && !isReady(before)) {
    actions.push({ kind: "report", report: { kind: "ready", protocol: leader.protocol } });
  }
  if (isOver(after)) actions.push({ kind: "end", error: after.ending?.error ?? null });
}
