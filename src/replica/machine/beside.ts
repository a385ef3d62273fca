// The connection beside a protocol 1 stream: one scan, then closed. It starts when a debt is due and the main connection is past
// its own scan (owed.ts, payAtMs), and what befalls it never touches the main one: the debt stays, and is tried again. Pure.

import type { Action } from "./actions.ts";
import { accepted, ask, dial, freePlace, giveUp, hold } from "./connections.ts";
import type { Input, LinkInput } from "./inputs.ts";
import { troubleOf } from "./leader-trouble.ts";
import { owe } from "./owed.ts";
import { backoff, FIRST_PAUSE } from "./pauses.ts";
import type { Beside, Dialing, ShardState } from "./types.ts";
import { whole } from "./whole.ts";

const NONE: Beside = { at: "none" };

export function askBeside(state: ShardState, actions: Action[]): ShardState {
  return { ...state, beside: ask(state, 1, actions), links: state.links + 1 };
}

/** `granted` or `held` for a request that may be this one's. */
export function besideAnswered(
  state: ShardState,
  input: Extract<Input, { kind: "granted" | "held" }>,
  actions: Action[],
): ShardState {
  const { beside } = state;
  if (beside.at !== "asking" || beside.request !== input.request) return state;
  return input.kind === "held"
    ? { ...state, beside: hold(beside, input, actions) }
    : { ...state, beside: dial(state, beside, "beside", input.nowMs, actions) };
}

/** What is heard of the connection beside. */
export function toBeside(state: ShardState, input: LinkInput, actions: Action[]): ShardState {
  const { beside } = state;
  switch (input.kind) {
    case "opened":
      if (beside.at !== "dialing") return state;
      return { ...accepted(state, beside, actions), beside: { ...beside, isAccepted: true } };
    case "shardInfo":
      return beside.at === "dialing" ? answered(state, beside, input, actions) : state;
    case "caughtUp": {
      if (beside.at !== "scanning") return state;
      actions.push({ kind: "probe", link: beside.link });
      const caughtUpAtMs = input.nowMs;
      return { ...state, beside: { ...beside, at: "confirming", caughtUpAtMs } };
    }
    case "whole": {
      if (beside.at !== "confirming") return state;
      const next = whole(state, beside, actions);
      actions.push({ kind: "close", link: beside.link });
      // There is no stream here to wait for: a whole scan is all that this connection can come to.
      return { ...next, beside: NONE, pauses: { ...next.pauses, beside: FIRST_PAUSE } };
    }
    case "ended": {
      freePlace(beside, actions);
      const trouble = troubleOf(input.end, 1, beside.at !== "dialing", state.settings);
      return failed(state, "text" in trouble ? trouble.text : "closed here", input, actions);
    }
    case "heartbeat":
    case "batch":
      return state;
  }
}

function answered(
  state: ShardState,
  beside: Dialing,
  input: Extract<Input, { kind: "shardInfo" }>,
  actions: Action[],
): ShardState {
  const next = accepted(state, beside, actions);
  const { link, protocol, dialedAt, beganAtMs } = beside;
  if (input.misfit !== null) {
    giveUp(beside, actions);
    return failed(next, input.misfit.message, input, actions);
  }
  const isPolling = state.main.at === "streaming" && state.main.stream.is === "polling";
  const scan = isPolling ? "rescan" : "beside";
  const why = state.owed?.why ?? "asked";
  actions.push({ kind: "scan", link, scan, why });
  actions.push({ kind: "tell", request: link, what: "scanning" });
  const scanning = {
    at: "scanning",
    kind: scan,
    why,
    link,
    protocol,
    dialedAt,
    beganAtMs,
  } as const;
  return { ...next, beside: scanning };
}

/** It ended before its scan was whole: the debt waits for the next try. */
function failed(
  state: ShardState,
  text: string,
  { nowMs, chance }: Input,
  actions: Action[],
): ShardState {
  const log = `scan beside the stream: ${text}`;
  actions.push({ kind: "report", report: { kind: "log", level: "warn", text: log } });
  const { beside, pauses } = state;
  const hadBegun = beside.at === "scanning" || beside.at === "confirming";
  const { resting, pause } = backoff(pauses.beside, nowMs, chance);
  const next = { ...state, beside: resting, pauses: { ...pauses, beside: pause } };
  return hadBegun ? owe(next, "cut", nowMs) : next;
}

/** The main connection leaves its stream, so there is nothing to be beside of. What is owed stays. */
export function leaveBeside(state: ShardState, actions: Action[]): ShardState {
  if (state.beside.at === "none") return state;
  giveUp(state.beside, actions);
  return { ...state, beside: NONE };
}
