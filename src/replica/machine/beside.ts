// The connection beside a protocol 1 stream: one scan, then closed. It starts when a debt is due and the main
// connection is past its own scan (owed.ts, payAtMs), and what befalls it never touches the main one: the debt stays,
// and is tried again. Pure.

import { logReason, type Turn } from "./actions.ts";
import { accepted, ask, freePlace, giveUp } from "./connections.ts";
import type { InputOf, LinkInput } from "./inputs.ts";
import { troubleOf } from "./leader-trouble.ts";
import { owe } from "./owed.ts";
import { backoff, FIRST_PAUSE } from "./pauses.ts";
import type { Beside, Dialing, ShardState } from "./types.ts";
import { whole } from "./whole.ts";

const NONE: Beside = { at: "none" };

export function askBeside(state: ShardState, turn: Turn): ShardState {
  return { ...state, beside: ask(state, 1, turn), links: state.links + 1 };
}

/** What is heard of the connection beside. */
export function toBeside(state: ShardState, input: LinkInput, turn: Turn): ShardState {
  const { beside } = state;
  switch (input.kind) {
    case "opened":
      if (beside.at !== "dialing") return state;
      return { ...accepted(state, beside, turn), beside: { ...beside, isAccepted: true } };
    case "shardInfo":
      return beside.at === "dialing" ? beginScan(state, beside, input, turn) : state;
    case "caughtUp":
      if (beside.at !== "scanning") return state;
      turn.actions.push({ kind: "probe", link: beside.link });
      return { ...state, beside: { ...beside, at: "confirming", caughtUpAtMs: turn.nowMs } };
    case "whole": {
      if (beside.at !== "confirming") return state;
      const next = whole(state, beside, turn);
      turn.actions.push({ kind: "close", link: beside.link });
      // There is no stream here to wait for: a whole scan is all that this connection can come to.
      return { ...next, beside: NONE, pauses: { ...next.pauses, beside: FIRST_PAUSE } };
    }
    case "ended": {
      freePlace(beside, turn);
      const trouble = troubleOf(input.end, 1, beside.at !== "dialing", state.settings);
      return failed(state, trouble.kind === "own" ? "closed here" : trouble.text, turn);
    }
    case "heartbeat":
    case "batch":
      return state;
  }
}

function beginScan(
  state: ShardState,
  beside: Dialing,
  { misfit }: InputOf<"shardInfo">,
  turn: Turn,
): ShardState {
  const next = accepted(state, beside, turn);
  if (misfit !== null) {
    giveUp(beside, turn);
    return failed(next, misfit.message, turn);
  }
  const { link, protocol, dialedAt, beganAtMs } = beside;
  const isPolling = state.main.at === "streaming" && state.main.stream.is === "polling";
  const kind = isPolling ? "rescan" : "beside";
  const why = state.owed?.why ?? "asked";
  turn.actions.push({ kind: "scan", link, scan: kind, why });
  turn.actions.push({ kind: "tell", request: link, what: "scanning" });
  return { ...next, beside: { at: "scanning", kind, why, link, protocol, dialedAt, beganAtMs } };
}

/** It ended before its scan was whole: the debt waits for the next try. */
function failed(state: ShardState, text: string, turn: Turn): ShardState {
  logReason(turn, "beside", `scan beside the stream: ${text}`);
  const { beside, pauses } = state;
  const { resting, pause } = backoff(pauses.beside, turn);
  const next = { ...state, beside: resting, pauses: { ...pauses, beside: pause } };
  const hadBegun = beside.at === "scanning" || beside.at === "confirming";
  return hadBegun ? owe(next, "cut", turn.nowMs) : next;
}

/** The main connection leaves its stream, so there is nothing to be beside of. What is owed stays. */
export function leaveBeside(state: ShardState, turn: Turn): ShardState {
  if (state.beside.at === "none") return state;
  giveUp(state.beside, turn);
  return { ...state, beside: NONE };
}
