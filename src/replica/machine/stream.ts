// Whether a connection that has caught up carries the live stream. Protocol 2 gives it or says that it does not. A
// protocol 1 leader without the stream to give echoes a probe; one that streams never answers it, and sends its own
// first heartbeat 5 s after CaughtUp (wire.md, points 1 to 3). No verdict changes what is owed. Pure.

import { HEARTBEAT_INTERVAL_MS, PROBE_VERDICT_MS } from "../../limits.ts";
import type { ProtocolVersion } from "../../wire/messages.ts";
import { log, type Turn } from "./actions.ts";
import { schedule } from "./owed.ts";
import type { MainConfirming, ShardState, Stream, Streaming } from "./types.ts";

/** An echo comes well before this; a streaming leader's own heartbeat never does. */
const ECHO_WITHIN_MS = HEARTBEAT_INTERVAL_MS - 500;

const PROVEN: Stream = { is: "live", echoUntilMs: null };
const POLLING: Stream = { is: "polling" };

/** At CaughtUp. */
export function firstVerdict(protocol: ProtocolVersion, nowMs: number): Stream {
  if (protocol === 2) return PROVEN;
  const [untilMs, echoUntilMs] = [nowMs + PROBE_VERDICT_MS, nowMs + ECHO_WITHIN_MS];
  return { is: "probing", untilMs, echoUntilMs };
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

/**
 * Takes a verdict: what hangs on it besides is whether heartbeats are due, the calendar, and whether the leader is a
 * new process.
 */
export function withStream(
  state: ShardState,
  main: MainConfirming | Streaming,
  stream: Stream,
  turn: Turn,
): ShardState {
  if (stream === main.stream) return state;
  const next: ShardState = { ...state, main: { ...main, stream } };
  const { is: was } = main.stream;
  if (stream.is === was) return next;
  const isPolling = stream.is === "polling";
  if (isPolling || was === "polling") {
    turn.actions.push({ kind: "expect", link: main.link, heartbeats: !isPolling });
  }
  if (isPolling && !state.settings.once) {
    // Another connection took the stream, once per leader process: only scans bring news from here on.
    const { pollMs } = state.settings;
    const pause = pollMs % 60_000 === 0 ? `${pollMs / 60_000} m` : `${pollMs / 1000} s`;
    log(
      turn,
      "warn",
      `No live stream from this leader until it restarts; rescanning every ${pause}`,
    );
  }
  const planned = isPolling || was === "polling" ? schedule(next, turn.nowMs) : next;
  const { leader } = state;
  if (stream.is !== "live" || main.protocol === 2 || !leader.streamWasLost) return planned;
  turn.actions.push({ kind: "leaderRestarted" });
  return { ...planned, leader: { ...leader, streamWasLost: false } };
}
