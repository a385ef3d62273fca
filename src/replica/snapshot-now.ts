// A shard's last snapshot as of now: with what its thread tells in shared memory meanwhile, above all while a call of the disk does
// not come back and no snapshot is made. Used by shard-crew.ts. Pure.

import { SLOW_WRITE_MS } from "../limits.ts";
import type { CallUnderWay } from "../store/attention.ts";
import type { ShardSnapshot } from "./follower-types.ts";

/** A call is named once it has taken so long. */
const CALL_NAMED_MS = 1_000;
/** One of the sync thread that a snapshot tells of is taken to last if it had taken so long by then: most are over by now. */
const CALL_LASTS_MS = 500;

/** What is told beside the snapshots. */
export interface Meanwhile {
  readonly lastFrameAtMs: number | null;
  readonly call: CallUnderWay | null;
}

export function snapshotNow(
  snapshot: ShardSnapshot,
  { lastFrameAtMs, call: here }: Meanwhile,
  nowMs: number,
): ShardSnapshot {
  const isNewer = lastFrameAtMs !== null && lastFrameAtMs > (snapshot.lastFrameAtMs ?? 0);
  const call = here ?? lastingCall(snapshot);
  if (!isNewer && call === null && snapshot.call === null) return snapshot;
  const now = { ...snapshot, call, ...(isNewer ? { lastFrameAtMs } : {}) };
  if (call === null) return now;
  const tookMs = nowMs - call.sinceMs;
  return { ...now, ...named(snapshot, call, tookMs), ...counted(snapshot, call, tookMs) };
}

function lastingCall({ call, shownAtMs }: ShardSnapshot): CallUnderWay | null {
  return call !== null && shownAtMs - call.sinceMs >= CALL_LASTS_MS ? call : null;
}

function named({ state }: ShardSnapshot, { call }: CallUnderWay, tookMs: number) {
  if (tookMs < CALL_NAMED_MS) return {};
  const text = `waiting ${Math.floor(tookMs / 1000)} s for ${call}`;
  return { activity: state === "stopped" ? `stopping: ${text}` : text };
}

/** A write that is slow already counts; its thread counts it when it is over. */
function counted(snapshot: ShardSnapshot, { call }: CallUnderWay, tookMs: number) {
  if (call !== "pwrite" || tookMs <= SLOW_WRITE_MS) return {};
  return {
    slowWrites: snapshot.slowWrites + 1,
    slowestWriteMs: Math.max(snapshot.slowestWriteMs ?? 0, tookMs),
  };
}
