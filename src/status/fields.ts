// The fields of a shard's status, each spelled once: what kind of value it has, where that comes from in a running follower, and the
// series of /metrics that shows it. The document (status-report.ts), its reader (status-reader.ts), the types (status-types.ts) and
// the metrics (metrics-table.ts) are made of this table. Pure. What is not known is null, and a gauge without a value is absent.

import { catchUpOf } from "./catch-up-shown.ts";
import {
  asOf,
  counter,
  type Field,
  field,
  type FieldKinds,
  gauge,
  owedOf,
  rounded,
  scanOf,
} from "./field-kinds.ts";
import { ageMs, durableLagMs, lagMs } from "./lag.ts";

/** In the order of the document. Names are a promise (docs/cli.md). */
export const SHARD_FIELDS = {
  /** A few words on what the connection does, whatever the state is. */
  activity: field("text", ({ snapshot }) => snapshot.activity),
  slots: field(
    "count",
    ({ snapshot }) => snapshot.slots,
    gauge("slots", "Slots in the shard's file."),
  ),
  occupied: field(
    "count",
    ({ snapshot }) => snapshot.occupied,
    gauge("occupied_slots", "Slots that hold a record."),
  ),
  scanned: field(
    "digits",
    ({ snapshot }) => String(snapshot.scanned),
    gauge("scanned_events", "Events of the scan under way, or of the last one."),
  ),
  appliedTotal: field(
    "digits",
    ({ snapshot }) => String(snapshot.appliedTotal),
    counter("applied_events", "Events that changed something here, earlier runs included."),
  ),
  skippedTotal: field(
    "digits",
    ({ snapshot }) => String(snapshot.skippedTotal),
    counter("skipped_events", "Events that were not newer than what is here."),
  ),
  healedTotal: field(
    "digits",
    ({ snapshot }) => String(snapshot.healedTotal),
    counter(
      "healed_slots",
      "Slots that a scan beside the live stream had to repair: the leader had lost their events.",
    ),
  ),
  divergedSlots: field(
    "count",
    ({ snapshot }) => snapshot.divergedSlots,
    gauge(
      "diverged_slots",
      "Slots that are newer, extra or other here than at the leader, and still were at the next scan.",
    ),
  ),
  reconnects: field(
    "count",
    ({ snapshot }) => snapshot.reconnects,
    counter("reconnects", "Connections begun because one was lost or refused."),
  ),
  lastFrameMsAgo: field(
    "count",
    ({ snapshot, nowMs }) => rounded(ageMs(snapshot.lastFrameAtMs, nowMs)),
    gauge(
      "last_frame_timestamp_seconds",
      "Unix time of the last frame from the leader.",
      "timestamp",
    ),
  ),
  /** Since the last whole scan began, in this run or by the state file. */
  lastFullScanMsAgo: field(
    "count",
    ({ snapshot, nowMs }) => rounded(ageMs(snapshot.lastFullScanAtMs, nowMs)),
    gauge(
      "last_full_scan_timestamp_seconds",
      "Unix time at which the last whole scan began, in an earlier run too.",
      "timestamp",
    ),
  ),
  durableLagMs: field(
    "count",
    ({ snapshot, toldAtMs, nowMs }) => rounded(durableLagMs(snapshot, toldAtMs, nowMs)),
    gauge("durable_lag_seconds", "Age of the oldest write that is not durable yet.", "seconds"),
  ),
  /** Null: infinite where `caughtUp` is false, else not known. */
  lagMs: field(
    "count",
    ({ snapshot, toldAtMs, nowMs, sync }) => rounded(lagMs(snapshot, toldAtMs, nowMs, sync)),
    gauge(
      "lag_seconds",
      "How far the shard may be behind its leader at most; +Inf until it has caught up once.",
      "lag",
    ),
  ),
  maxVersionSeen: field(
    "count",
    ({ snapshot }) => snapshot.maxVersionSeen,
    gauge("max_version", "Greatest slot version applied."),
  ),
  lastError: field("text", ({ snapshot }) => snapshot.lastError),
  /** Why its cursor cannot be saved; null: it can. */
  saveError: field("text", ({ snapshot }) => snapshot.saveError),
  /** A whole scan has come through, in this run or by the state file. */
  caughtUp: field("flag", ({ snapshot }) => snapshot.lastFullScanAtMs !== null),
  /** Caught up in this run, and what it caught up with is durable. */
  ready: field(
    "flag",
    ({ snapshot }) => snapshot.ready && snapshot.state !== "failed" && snapshot.state !== "stopped",
    gauge("ready", "1 once the shard has caught up and what it caught up with is durable."),
  ),
  streaming: field("stream", ({ snapshot }) => snapshot.streaming),
  /** A whole scan has ended and is durable, in this run or by the state file. */
  complete: field(
    "flag",
    ({ snapshot }) => snapshot.complete,
    gauge(
      "complete",
      "1 once a whole scan has ended and is durable, in an earlier run too; 0 while the first one never has.",
    ),
  ),
  owed: field(
    "owed",
    owedOf,
    gauge(
      "scan_owed_seconds",
      "For how long a whole scan has been due; absent while none is.",
      "since",
    ),
  ),
  scan: field("scan", scanOf),
  /** How far the scan under way has come. */
  catchUp: field("catchUp", ({ snapshot }) => catchUpOf(snapshot)),
  suspectSlots: field(
    "count",
    ({ snapshot }) => snapshot.suspectSlots,
    gauge(
      "suspect_slots",
      "Slots that looked different in the last scan and wait for the next one to tell.",
    ),
  ),
  /** Unix time of what comes from the state file and not from this run. */
  asOfMs: field("count", asOf),
  rescannedTotal: field(
    "digits",
    ({ snapshot }) => String(snapshot.rescannedTotal),
    counter(
      "rescanned_slots",
      "Slots brought by a scan with which the stream restarted: lost or just written cannot be told.",
    ),
  ),
  replacedTotal: field(
    "digits",
    ({ snapshot }) => String(snapshot.replacedTotal),
    counter(
      "replaced_slots",
      "Slots of the same version with other bytes, taken from a leader of protocol 2.",
    ),
  ),
  resetsSaved: field(
    "count",
    ({ snapshot }) => snapshot.resetsSaved,
    counter("resets_saved", "Good records that the leader reset, saved in armdb-reset-SHARD.log."),
  ),
  tornLoaded: field(
    "count",
    ({ snapshot }) => snapshot.tornLoaded,
    gauge(
      "torn_slots_loaded",
      "Slots with a bad checksum found on disk at the start; a scan repairs them.",
    ),
  ),
  scansTotal: field(
    "count",
    ({ snapshot }) => snapshot.scansDone,
    counter("scans", "Whole scans."),
  ),
  lastFullScanTookMs: field(
    "count",
    ({ snapshot }) => rounded(snapshot.lastFullScanTookMs),
    gauge("last_full_scan_duration_seconds", "How long the last whole scan took.", "seconds"),
  ),
  connections: field(
    "count",
    ({ snapshot }) => snapshot.connections,
    counter("connections", "Connections that the leader accepted."),
  ),
  bytesReceived: field(
    "digits",
    ({ snapshot }) => String(snapshot.bytesReceived),
    counter("received_bytes", "Bytes from the leader."),
  ),
  slowWrites: field(
    "count",
    ({ snapshot }) => snapshot.slowWrites,
    counter("slow_writes", "Writes that took more than 100 ms."),
  ),
  slowestWriteMs: field(
    "count",
    ({ snapshot }) => rounded(snapshot.slowestWriteMs),
    gauge("slowest_write_seconds", "The longest write to the shard's file.", "seconds"),
  ),
  /** Of the time since the shard's thread began, 0 to 1. */
  scanningShare: field(
    "count",
    ({ snapshot }) => Number(snapshot.scanningShare.toFixed(4)),
    gauge("scanning_ratio", "Share of the time spent in full scans."),
  ),
  /** Since the shard's thread said anything. */
  silentMs: field(
    "count",
    ({ silentMs }) => silentMs,
    gauge(
      "last_word_timestamp_seconds",
      "Unix time at which the shard's thread last said anything; it does so every second.",
      "timestamp",
    ),
  ),
  threadRestarts: field(
    "count",
    ({ restarts }) => restarts,
    counter("thread_restarts", "How often the shard's thread died and was started again."),
  ),
} as const;

type Table = typeof SHARD_FIELDS;

/** All of them as values; null: not known. */
export type ShardFields = {
  readonly [Name in keyof Table]: FieldKinds[Table[Name]["kind"]] | null;
};

/** With each field by what `valueOf` makes of it. */
export function fieldsBy(
  valueOf: (name: string, row: Field<keyof FieldKinds>) => unknown,
): ShardFields {
  const entries = Object.entries(SHARD_FIELDS as Readonly<Record<string, Field<keyof FieldKinds>>>);
  return Object.fromEntries(
    entries.map(([name, row]) => [name, valueOf(name, row)]),
  ) as unknown as ShardFields;
}

/** A shard of which nothing is known but its number and state. */
export const UNKNOWN_SHARD: ShardFields & { readonly diverged: readonly never[] } = {
  ...fieldsBy(() => null),
  diverged: [],
};
