// The machine of one shard: what it does next, as a pure function of what it is in and what it is told. Used by the shard's
// follower, which performs the actions and keeps one timer for `wakeAtMs`. Total: every input in every state; what names an
// unknown connection changes nothing. Never reads a clock, rolls no dice, does no I/O.

import type { Action, Outcome, Report } from "./actions.ts";
import { askBeside, besideAnswered, toBeside } from "./beside.ts";
import { askMain, closeForScan, finish } from "./ends.ts";
import { failed, filesClosed, filesMade } from "./files.ts";
import type { Input, LinkInput, SavedShard } from "./inputs.ts";
import { mainAnswered, toMain } from "./main.ts";
import { afterCalendar, calendarAtMs, earliest, owe, payAtMs } from "./owed.ts";
import { FIRST_PAUSE } from "./pauses.ts";
import { isReady, reportedState, stateWord } from "./shown.ts";
import { verdictHeldUp, verdictOfTime, withStream } from "./stream.ts";
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
  const taken = take(state, input, actions);
  if (taken === state && actions.length === 0 && input.kind !== "tick") return [state, NO_ACTIONS];
  const moved = goOn(taken, input, actions);
  if (moved === state && actions.length === 0) return [state, NO_ACTIONS];
  const next = { ...moved, inputs: state.inputs + 1 };
  tell(state, next, input.nowMs, actions);
  return [next, actions];
}

/** When `tick` is due next, or null: then somebody else owes an answer, or nothing is to come. */
export function wakeAtMs(state: ShardState): number | null {
  const { main } = state;
  switch (main.at) {
    case "resting":
      return main.untilMs;
    case "confirming":
      return main.stream.is === "probing" ? main.stream.untilMs : null;
    case "streaming": {
      const verdictAtMs = main.stream.is === "probing" ? main.stream.untilMs : null;
      return earliest(verdictAtMs, earliest(calendarAtMs(state), payAtMs(state)));
    }
    case "new":
    case "asking":
    case "dialing":
    case "making":
    case "scanning":
    case "over":
      return null;
  }
}

/** `end` was said. */
function isOver({ main, files }: ShardState): boolean {
  return main.at === "over" && files === "none";
}

function take(state: ShardState, input: Input, actions: Action[]): ShardState {
  const isEnding = state.main.at === "over";
  switch (input.kind) {
    case "start":
      return start(state, input.saved, input.hasFiles, actions);
    case "tick":
      return state;
    case "stop":
      if (isEnding) return state;
      return finish(state, { error: null, abandons: false }, input.nowMs, actions);
    case "rescan":
      return isEnding ? state : owe(state, "asked", input.nowMs);
    case "heldUp":
      return heldUp(state, input.ms, input.nowMs, actions);
    case "granted":
    case "held": {
      const next = mainAnswered(state, input, actions);
      return next === state ? besideAnswered(state, input, actions) : next;
    }
    case "opened":
    case "shardInfo":
    case "caughtUp":
    case "whole":
    case "heartbeat":
    case "batch":
    case "ended":
      return toLink(state, input, actions);
    case "filesMade":
      return filesMade(state, input.error, input.nowMs, actions);
    case "filesClosed":
      return filesClosed(state, input.error);
    case "diskFailed":
      return failed(state, input.error, true, input.nowMs, actions);
    case "durable":
      return durable(state, input.link);
    case "judged":
      return judged(state, input, actions);
    case "struck":
      return input.diverged < state.diverged ? { ...state, diverged: input.diverged } : state;
  }
}

function start(
  state: ShardState,
  saved: SavedShard,
  hasFiles: boolean,
  actions: Action[],
): ShardState {
  if (state.main.at !== "new") return state;
  if (!hasFiles) return askMain(state, actions);
  // What an earlier run owed began before any scan of this one, so the first whole scan pays it.
  const owed = saved.owed === null || state.settings.once ? state : oweSaved(state, saved.owed);
  const { complete, diverged } = saved;
  return askMain({ ...owed, files: "open", complete, diverged }, actions);
}

function oweSaved(
  state: ShardState,
  { why, sinceMs }: NonNullable<SavedShard["owed"]>,
): ShardState {
  return owe(state, why, sinceMs);
}

function toLink(state: ShardState, input: LinkInput, actions: Action[]): ShardState {
  const { main, beside } = state;
  if ("link" in main && main.link === input.link) return toMain(state, main, input, actions);
  if ("link" in beside && beside.link === input.link) return toBeside(state, input, actions);
  return state;
}

function heldUp(state: ShardState, ms: number, nowMs: number, actions: Action[]): ShardState {
  const { main } = state;
  const text = `held up for ${Math.round(ms / 1000)} s (stopped or starved)`;
  actions.push({ kind: "report", report: { kind: "log", level: "warn", text } });
  if (main.at !== "confirming" && main.at !== "streaming") return state;
  return withStream(state, main, verdictHeldUp(main.stream, nowMs), nowMs, actions);
}

/** What is due by now: the next connect, a verdict on the stream, the calendar, a scan that is owed. */
function goOn(state: ShardState, { nowMs }: Input, actions: Action[]): ShardState {
  const { main } = state;
  switch (main.at) {
    case "resting":
      return nowMs < main.untilMs ? state : askMain(state, actions);
    case "confirming":
      return withStream(state, main, verdictOfTime(main.stream, nowMs), nowMs, actions);
    case "streaming": {
      const verdict = verdictOfTime(main.stream, nowMs);
      return pay(
        afterCalendar(withStream(state, main, verdict, nowMs, actions), nowMs),
        nowMs,
        actions,
      );
    }
    case "new":
    case "asking":
    case "dialing":
    case "making":
    case "scanning":
    case "over":
      return state;
  }
}

/** Begins the scan that is owed: beside a protocol 1 stream, in the place of a protocol 2 one. */
function pay(state: ShardState, nowMs: number, actions: Action[]): ShardState {
  const atMs = payAtMs(state);
  if (atMs === null || nowMs < atMs) return state;
  const isBeside = state.main.at === "streaming" && state.main.protocol === 1;
  return isBeside ? askBeside(state, actions) : closeForScan(state, nowMs, actions);
}

/** What others are told of a change, `end` last. */
function tell(before: ShardState, after: ShardState, nowMs: number, actions: Action[]): void {
  const report = (what: Report) => void actions.push({ kind: "report", report: what });
  if (after.owed !== null && after.owed.why !== before.owed?.why) {
    report({ kind: "owed", why: after.owed.why });
  }
  if (stateWord(after) !== stateWord(before)) report(reportedState(after, nowMs));
  if (isReady(after) && !isReady(before))
    report({ kind: "ready", protocol: after.leader.protocol });
  const isSaved =
    after.complete === before.complete &&
    after.diverged === before.diverged &&
    after.leader.protocol === before.leader.protocol;
  // `start` brings what the state file has already.
  if (!isSaved && before.main.at !== "new") actions.push({ kind: "save" });
  if (isOver(after)) actions.push({ kind: "end", error: after.ending?.error ?? null });
}
