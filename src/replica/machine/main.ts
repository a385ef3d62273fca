// The main connection, from its ShardInfo to its stream: the table of what each input makes of each of its states. What
// its end means is in ends.ts, what a whole scan means in whole.ts. Pure.

import type { Turn } from "./actions.ts";
import { accepted } from "./connections.ts";
import { mainEnded, misfits } from "./ends.ts";
import type { InputOf, LinkInput } from "./inputs.ts";
import { afterBatch, afterHeartbeat } from "./owed.ts";
import { firstVerdict, verdictOfBatch, verdictOfHeartbeat, withStream } from "./stream.ts";
import type { Dialing, MainConfirming, MainLink, Making, ShardState } from "./types.ts";
import { whole } from "./whole.ts";

/** What is heard of the main connection. */
export function toMain(
  state: ShardState,
  main: MainLink,
  input: LinkInput,
  turn: Turn,
): ShardState {
  const { nowMs } = turn;
  switch (input.kind) {
    case "opened":
      if (main.at !== "dialing") return state;
      return { ...accepted(state, main, turn), main: { ...main, isAccepted: true } };
    case "shardInfo":
      return main.at === "dialing" ? answered(state, main, input, turn) : state;
    case "caughtUp": {
      if (main.at !== "scanning") return state;
      const stream = firstVerdict(main.protocol, nowMs);
      return { ...state, main: { ...main, at: "confirming", caughtUpAtMs: nowMs, stream } };
    }
    case "whole":
      return main.at === "confirming" ? beginStream(state, main, turn) : state;
    case "heartbeat": {
      if (!("stream" in main)) return state;
      const verdict = verdictOfHeartbeat(main.stream);
      return afterHeartbeat(withStream(state, main, verdict, turn), nowMs);
    }
    case "batch":
      if (!("stream" in main)) return state;
      return afterBatch(withStream(state, main, verdictOfBatch(), turn), main, input, nowMs);
    case "ended":
      return mainEnded(state, main, input.end, turn);
  }
}

function answered(
  state: ShardState,
  main: Dialing,
  { misfit, info }: InputOf<"shardInfo">,
  turn: Turn,
): ShardState {
  const open = accepted(state, main, turn);
  if (misfit !== null) return misfits(open, misfit, turn);
  const { link, protocol, dialedAt, beganAtMs } = main;
  const known = { protocol, named: null, hasAnswered: true, incompatibleSinceMs: null };
  const next: ShardState = { ...open, leader: { ...open.leader, ...known }, trouble: null };
  if (next.files === "open") return beginScan(next, main, turn);
  if (next.files === "none") turn.actions.push({ kind: "makeFiles", info });
  return { ...next, files: "asked", main: { at: "making", link, protocol, dialedAt, beganAtMs } };
}

/** ShardInfo fits and the files are there. The scan is as old as its dial, however long the files took. */
export function beginScan(
  state: ShardState,
  { link, protocol, dialedAt, beganAtMs }: Dialing | Making,
  { actions }: Turn,
): ShardState {
  const kind = state.counts.scans === 0 ? "first" : "rescan";
  const why = state.owed?.why ?? (kind === "first" ? "first" : "reconnect");
  actions.push({ kind: "scan", link, scan: kind, why });
  actions.push({ kind: "tell", request: link, what: "scanning" });
  return { ...state, main: { at: "scanning", kind, why, link, protocol, dialedAt, beganAtMs } };
}

function beginStream(state: ShardState, main: MainConfirming, turn: Turn): ShardState {
  const { link, protocol, dialedAt, beganAtMs, stream } = main;
  const of = { link, protocol, dialedAt, beganAtMs, stream };
  return { ...whole(state, main, turn), main: { at: "streaming", ...of, sinceMs: turn.nowMs } };
}
