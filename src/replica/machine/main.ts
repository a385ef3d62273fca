// The main connection, from the request for it to its stream: the table of what each input makes of each of its states. What its
// end means is in ends.ts, what a whole scan means in whole.ts. Pure.

import type { Action } from "./actions.ts";
import { accepted, dial, hold } from "./connections.ts";
import { mainEnded, misfits } from "./ends.ts";
import type { Input, LinkInput } from "./inputs.ts";
import { afterBatch, afterHeartbeat } from "./owed.ts";
import { firstVerdict, verdictOfBatch, verdictOfHeartbeat, withStream } from "./stream.ts";
import type { Dialing, Main, MainConfirming, Making, ShardState, Streaming } from "./types.ts";
import { whole } from "./whole.ts";

/** `granted` or `held` for a request that may be this one's. */
export function mainAnswered(
  state: ShardState,
  input: Extract<Input, { kind: "granted" | "held" }>,
  actions: Action[],
): ShardState {
  const { main } = state;
  if (main.at !== "asking" || main.request !== input.request) return state;
  return input.kind === "held"
    ? { ...state, main: hold(main, input, actions) }
    : { ...state, main: dial(state, main, "main", input.nowMs, actions) };
}

/** What is heard of the main connection. */
export function toMain(
  state: ShardState,
  main: Extract<Main, { link: number }>,
  input: LinkInput,
  actions: Action[],
): ShardState {
  switch (input.kind) {
    case "opened":
      if (main.at !== "dialing") return state;
      return { ...accepted(state, main, actions), main: { ...main, isAccepted: true } };
    case "shardInfo":
      return main.at === "dialing" ? answered(state, main, input, actions) : state;
    case "caughtUp":
      if (main.at !== "scanning") return state;
      if (main.protocol === 1) actions.push({ kind: "probe", link: main.link });
      return {
        ...state,
        main: {
          ...main,
          at: "confirming",
          caughtUpAtMs: input.nowMs,
          stream: firstVerdict(main.protocol, input.nowMs),
        },
      };
    case "whole":
      return main.at === "confirming" ? stream(state, main, input.nowMs, actions) : state;
    case "heartbeat":
      if (main.at !== "confirming" && main.at !== "streaming") return state;
      return heartbeat(state, main, input.nowMs, actions);
    case "batch":
      if (main.at !== "confirming" && main.at !== "streaming") return state;
      return batch(state, main, input, actions);
    case "ended":
      return mainEnded(state, main, input, actions);
  }
}

function answered(
  state: ShardState,
  main: Dialing,
  input: Extract<LinkInput, { kind: "shardInfo" }>,
  actions: Action[],
): ShardState {
  const open = accepted(state, main, actions);
  if (input.misfit !== null) return misfits(open, main, input.misfit, input, actions);
  const leader = {
    ...open.leader,
    protocol: main.protocol,
    named: null,
    hasAnswered: true,
    incompatibleSinceMs: null,
  };
  const next: ShardState = { ...open, leader, trouble: null };
  if (next.files === "open") return beginScan(next, main, actions);
  const { link, protocol, dialedAt, beganAtMs } = main;
  if (next.files === "none") actions.push({ kind: "makeFiles", info: input.info });
  return { ...next, files: "asked", main: { at: "making", link, protocol, dialedAt, beganAtMs } };
}

/** ShardInfo fits and the files are there. The scan is as old as its dial, however long the files took. */
export function beginScan(
  state: ShardState,
  { link, protocol, dialedAt, beganAtMs }: Dialing | Making,
  actions: Action[],
): ShardState {
  const kind = state.counts.scans === 0 ? "first" : "rescan";
  const why = state.owed?.why ?? (kind === "first" ? "first" : "reconnect");
  actions.push({ kind: "scan", link, scan: kind, why });
  actions.push({ kind: "tell", request: link, what: "scanning" });
  return { ...state, main: { at: "scanning", kind, why, link, protocol, dialedAt, beganAtMs } };
}

function stream(
  state: ShardState,
  main: MainConfirming,
  nowMs: number,
  actions: Action[],
): ShardState {
  const { link, protocol, dialedAt, beganAtMs, stream: verdict } = main;
  const streaming: Streaming = {
    at: "streaming",
    link,
    protocol,
    dialedAt,
    beganAtMs,
    stream: verdict,
    sinceMs: nowMs,
  };
  return { ...whole(state, main, actions), main: streaming };
}

function heartbeat(
  state: ShardState,
  main: MainConfirming | Streaming,
  nowMs: number,
  actions: Action[],
): ShardState {
  const verdict = verdictOfHeartbeat(main.stream, nowMs);
  return afterHeartbeat(withStream(state, main, verdict, nowMs, actions), nowMs);
}

function batch(
  state: ShardState,
  main: MainConfirming | Streaming,
  input: Extract<LinkInput, { kind: "batch" }>,
  actions: Action[],
): ShardState {
  const verdict = verdictOfBatch(main.stream);
  const next = withStream(state, main, verdict, input.nowMs, actions);
  return afterBatch(next, input, input.nowMs);
}
