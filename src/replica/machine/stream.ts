// Whether a connection that has caught up carries the live stream. Protocol 2 gives it or says that it does not. A protocol 1 leader
// without the stream to give echoes a probe; one that streams never answers it, and sends its own first heartbeat 5 s after
// CaughtUp (wire.md, points 1 to 3). No verdict changes what is owed. Pure.

import { HEARTBEAT_INTERVAL_MS, PROBE_VERDICT_MS } from "../../limits.ts";
import type { ProtocolVersion } from "../../wire/messages.ts";
import type { Action } from "./actions.ts";
import { schedule } from "./owed.ts";
import type { MainConfirming, ShardState, Stream, Streaming } from "./types.ts";

/** An echo comes well before this; a streaming leader's own heartbeat never does. */
const ECHO_WITHIN_MS = HEARTBEAT_INTERVAL_MS - 500;

const PROVEN: Stream = { is: "live", echoUntilMs: null };
const POLLING: Stream = { is: "polling" };

/** At CaughtUp. */
export function firstVerdict(protocol: ProtocolVersion, nowMs: number): Stream {
  if (protocol === 2) return PROVEN;
  return {
    is: "probing",
    untilMs: nowMs + PROBE_VERDICT_MS,
    echoUntilMs: nowMs + ECHO_WITHIN_MS,
  };
}

/** A live batch came: whatever the heartbeats look like, the stream is here. */
export function verdictOfBatch(stream: Stream): Stream {
  return stream.is === "live" && stream.echoUntilMs === null ? stream : PROVEN;
}

export function verdictOfHeartbeat(stream: Stream, nowMs: number): Stream {
  if (stream.is === "polling" || stream.echoUntilMs === null) return stream;
  return nowMs < stream.echoUntilMs ? POLLING : PROVEN;
}

/** No echo came for as long as one takes. An echo that comes later still counts as one. */
export function verdictOfTime(stream: Stream, nowMs: number): Stream {
  if (stream.is !== "probing" || nowMs < stream.untilMs) return stream;
  return { is: "live", echoUntilMs: stream.echoUntilMs };
}

/** We were held up, so the echo may lie unread: it gets its time anew. */
export function verdictHeldUp(stream: Stream, nowMs: number): Stream {
  return stream.is === "probing" ? { ...stream, untilMs: nowMs + PROBE_VERDICT_MS } : stream;
}

/** Takes a verdict: what hangs on it besides is whether heartbeats are due, the calendar, and whether the leader is a new process. */
export function withStream(
  state: ShardState,
  main: MainConfirming | Streaming,
  stream: Stream,
  nowMs: number,
  actions: Action[],
): ShardState {
  if (stream === main.stream) return state;
  const next: ShardState = { ...state, main: { ...main, stream } };
  const was = main.stream.is;
  if (stream.is === was) return next;
  if (stream.is === "live") return nowLive(next, main, was === "polling", nowMs, actions);
  if (stream.is === "polling") return nowPolling(next, main, nowMs, actions);
  return next;
}

function nowLive(
  state: ShardState,
  { link, protocol }: MainConfirming | Streaming,
  wasPolling: boolean,
  nowMs: number,
  actions: Action[],
): ShardState {
  const { leader } = state;
  if (wasPolling) actions.push({ kind: "expect", link, heartbeats: true });
  const planned = wasPolling ? schedule(state, nowMs) : state;
  if (protocol === 2 || !leader.streamWasLost) return planned;
  actions.push({ kind: "leaderRestarted" });
  return { ...planned, leader: { ...leader, streamWasLost: false } };
}

/** Another connection took the stream, once per leader process: only scans bring news from here on. */
function nowPolling(
  state: ShardState,
  { link }: MainConfirming | Streaming,
  nowMs: number,
  actions: Action[],
): ShardState {
  actions.push({ kind: "expect", link, heartbeats: false });
  if (!state.settings.once) {
    const text =
      "this leader gives no live stream until it restarts: the shard is rescanned instead";
    actions.push({ kind: "report", report: { kind: "log", level: "warn", text } });
  }
  return schedule(state, nowMs);
}
