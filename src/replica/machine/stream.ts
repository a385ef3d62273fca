// Whether a connection that has caught up carries the live stream. Protocol 2 gives it or says that it does not. A
// protocol 1 leader sends a heartbeat 5 s after CaughtUp where it streams, and where it has no stream to give nothing
// but an echo for each one of ours (wire.md, points 1 to 3). So we send none until a stream would have shown itself: a
// batch, or a heartbeat that nobody asked for, is proof, however late it comes. No verdict changes what is owed. Pure.

import { HEARTBEAT_INTERVAL_MS } from "../../limits.ts";
import type { ProtocolVersion } from "../../wire/messages.ts";
import { log, type Turn } from "./actions.ts";
import type { InputOf } from "./inputs.ts";
import { schedule } from "./owed.ts";
import type { MainConfirming, ShardState, Stream, Streaming } from "./types.ts";

/** After CaughtUp: a stream's first heartbeat has come by then, unless the network is slow. */
const PROBE_AFTER_MS = HEARTBEAT_INTERVAL_MS + 1_000;
/** What lies unread after we were held up is read within this. */
const READ_WITHIN_MS = 1_000;

const LIVE: Stream = { is: "live" };
const POLLING: Stream = { is: "polling" };
const PROBED: Stream = { is: "probing", probeAtMs: null };

/** At CaughtUp. */
export function firstVerdict(protocol: ProtocolVersion, nowMs: number): Stream {
  return protocol === 2 ? LIVE : { is: "probing", probeAtMs: nowMs + PROBE_AFTER_MS };
}

/** A live batch came: whatever the heartbeats look like, the stream is here. */
export function verdictOfBatch(): Stream {
  return LIVE;
}

/** Whether this input changes nothing, which is what nearly all live batches do: known without a step. */
export function changesNothing(
  { main, run }: ShardState,
  { link, full }: Pick<InputOf<"batch">, "link" | "full">,
): boolean {
  return (
    main.at === "streaming" && main.link === link && main.stream === LIVE && run === null && !full
  );
}

/** The first one behind our probe may be its echo; a leader without a stream sends no second one. */
export function verdictOfHeartbeat(stream: Stream): Stream {
  return stream.is === "probing" && stream.probeAtMs === null ? POLLING : LIVE;
}

/** When it is to be asked for, null: not, or it was. */
export function probeAtMs({ main }: ShardState): number | null {
  return "stream" in main && main.stream.is === "probing" ? main.stream.probeAtMs : null;
}

/** Asks for it with one heartbeat, when it is time. */
export function probeWhenDue(state: ShardState, { nowMs, actions }: Turn): ShardState {
  const { main } = state;
  const atMs = probeAtMs(state);
  if (atMs === null || nowMs < atMs || !("stream" in main)) return state;
  actions.push({ kind: "probe", link: main.link });
  return { ...state, main: { ...main, stream: PROBED } };
}

/** We were held up, so the stream's heartbeat may lie unread: it is read before we ask. */
export function verdictHeldUp(stream: Stream, nowMs: number): Stream {
  if (stream.is !== "probing" || stream.probeAtMs === null) return stream;
  return { is: "probing", probeAtMs: Math.max(stream.probeAtMs, nowMs + READ_WITHIN_MS) };
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
