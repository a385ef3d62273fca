// The fields of a shard's status, each spelled once: what kind of value it has, where that comes from in a running follower and
// where none runs, and the series of /metrics that shows it. The document and its reader (follower-fields.ts), the types and the metrics
// (metrics.ts) are made of this table. Pure. What is not known is null, and a gauge without a value is absent.

import { DIVERGED_LISTED_MAX } from "../limits.ts";
import { CATCH_UP, catchUpOf } from "./catch-up-shown.ts";
import { count, digits, flag, someOf, text, word } from "./field-kinds.ts";
import { Rows, type ValuesOf } from "./field-rows.ts";
import { ageMs, durableLagMs, lagMs } from "./lag.ts";
import {
  asOf,
  digitsOf,
  DIVERGED,
  divergedEntry,
  OWED,
  owedOf,
  rounded,
  savedLag,
  savedOwed,
  SCAN,
  scanOf,
  type ShardFacts,
  shardNumber,
  type StoppedShard,
  timeAgo,
} from "./shard-facts.ts";
import { SHARD_STATES } from "./verdict.ts";

const { always, saved, running } = new Rows<ShardFacts, StoppedShard>();

/** In the order of the document. Names are a promise (docs/cli.md). */
export const SHARD_FIELDS = {
  shard: always({
    kind: shardNumber,
    of: ({ snapshot }) => snapshot.shard,
    stopped: ({ shard }) => shard,
  }),
  state: always({
    kind: word(SHARD_STATES),
    of: ({ snapshot }) => snapshot.state,
    stopped: () => "stopped" as const,
  }),
  /** A few words on what the connection does, whatever the state is. */
  activity: running({ kind: text, of: ({ snapshot }) => snapshot.activity }),
  slots: saved({
    kind: count,
    of: ({ snapshot }) => snapshot.slots,
    stopped: ({ slots }) => slots,
    gauge: "armdb_shard_slots",
    help: "Slots in the shard's file.",
  }),
  occupied: saved({
    kind: count,
    of: ({ snapshot }) => snapshot.occupied,
    stopped: ({ occupied }) => occupied,
    gauge: "armdb_shard_occupied_slots",
    help: "Slots that hold a record.",
  }),
  scanned: running({
    kind: digits,
    of: ({ snapshot }) => digitsOf(snapshot.scanned),
    gauge: "armdb_shard_scanned_events",
    help: "Events of the scan under way, or of the last one.",
  }),
  appliedTotal: saved({
    kind: digits,
    of: ({ snapshot }) => digitsOf(snapshot.appliedTotal),
    stopped: ({ cursor }) => digitsOf(cursor?.appliedTotal ?? null),
    counter: "armdb_shard_applied_events_total",
    help: "Events that changed something here, earlier runs included.",
    unit: "lifetime",
  }),
  skippedTotal: saved({
    kind: digits,
    of: ({ snapshot }) => digitsOf(snapshot.skippedTotal),
    stopped: ({ saved }) => saved?.counters?.skippedTotal ?? null,
    counter: "armdb_shard_skipped_events_total",
    help: "Events that were not newer than what is here.",
  }),
  healedTotal: saved({
    kind: digits,
    of: ({ snapshot }) => digitsOf(snapshot.healedTotal),
    stopped: ({ saved }) => digitsOf(saved?.counters?.healedTotal ?? null),
    counter: "armdb_shard_healed_slots_total",
    help: "Slots that a scan beside the live stream had to repair: the leader had lost their events.",
  }),
  divergedSlots: saved({
    kind: count,
    of: ({ snapshot }) => snapshot.divergedSlots,
    stopped: ({ saved }) => saved?.divergedSlots ?? null,
    gauge: "armdb_shard_diverged_slots",
    help: "Slots that are newer, extra or other here than at the leader, and still were at the next scan.",
  }),
  reconnects: running({
    kind: count,
    of: ({ snapshot }) => snapshot.reconnects,
    counter: "armdb_shard_reconnects_total",
    help: "Times that the shard's main connection was lost or refused, so that a pause began; one for the leader's other protocol is none.",
  }),
  lastFrameMsAgo: saved({
    kind: count,
    of: ({ snapshot, nowMs }) => rounded(ageMs(snapshot.lastFrameAtMs, nowMs)),
    stopped: ({ saved, wallMs }) => timeAgo(saved?.leaderHeardAtMs ?? null, wallMs),
    gauge: "armdb_shard_last_frame_timestamp_seconds",
    help: "Unix time of the last frame from the leader.",
    unit: "timestamp",
  }),
  /** Since the last whole scan began, in this run or by the state file. */
  lastFullScanMsAgo: saved({
    kind: count,
    of: ({ snapshot, nowMs }) => rounded(ageMs(snapshot.lastFullScanAtMs, nowMs)),
    stopped: ({ saved, wallMs }) => timeAgo(saved?.lastFullScanAtMs ?? null, wallMs),
    gauge: "armdb_shard_last_full_scan_timestamp_seconds",
    help: "Unix time at which the last whole scan began, in an earlier run too.",
    unit: "timestamp",
  }),
  durableLagMs: running({
    kind: count,
    of: ({ snapshot, toldAtMs, nowMs }) =>
      snapshot.slots === null ? null : rounded(durableLagMs(snapshot, toldAtMs, nowMs)),
    gauge: "armdb_shard_durable_lag_seconds",
    help: "Age of the oldest write that is not durable yet.",
    unit: "seconds",
  }),
  /** Null: infinite where `caughtUp` is false, else not known. */
  lagMs: saved({
    kind: count,
    of: ({ snapshot, toldAtMs, nowMs, sync }) => rounded(lagMs(snapshot, toldAtMs, nowMs, sync)),
    stopped: savedLag,
    gauge: "armdb_shard_lag_seconds",
    help: "How far the shard may be behind its leader at most; +Inf until it has caught up once.",
    unit: "lag",
  }),
  maxVersionSeen: saved({
    kind: count,
    of: ({ snapshot }) => snapshot.maxVersionSeen,
    stopped: ({ cursor }) => cursor?.maxVersionSeen ?? null,
    gauge: "armdb_shard_max_version",
    help: "Greatest slot version applied.",
  }),
  lastError: running({ kind: text, of: ({ snapshot }) => snapshot.lastError }),
  /** Why its cursor cannot be saved; null: it can. */
  saveError: running({ kind: text, of: ({ snapshot }) => snapshot.saveError }),
  /** A whole scan has come through, in this run or by the state file. */
  caughtUp: saved({
    kind: flag,
    // A time of the state file that has not come yet is not known; that the copy is complete is.
    of: ({ snapshot }) => snapshot.lastFullScanAtMs !== null || snapshot.complete === true,
    stopped: ({ saved, complete }) =>
      saved === null ? null : saved.lastFullScanAtMs !== null || complete === true,
  }),
  /** Caught up in this run, and what it caught up with is durable. */
  ready: saved({
    kind: flag,
    of: ({ snapshot }) =>
      snapshot.ready && snapshot.state !== "failed" && snapshot.state !== "stopped",
    stopped: () => false,
    gauge: "armdb_shard_ready",
    help: "1 once the shard has caught up and what it caught up with is durable.",
  }),
  streaming: running({ kind: word(["live", "polling"]), of: ({ snapshot }) => snapshot.streaming }),
  /** A whole scan has ended and is durable, in this run or by the state file. */
  complete: saved({
    kind: flag,
    of: ({ snapshot }) => snapshot.complete,
    stopped: ({ complete }) => complete,
    gauge: "armdb_shard_complete",
    help: "1 once a whole scan has ended and is durable, in an earlier run too; 0 while the first one never has.",
  }),
  owed: saved({
    kind: OWED,
    of: owedOf,
    stopped: savedOwed,
    gauge: "armdb_shard_scan_owed_seconds",
    help: "For how long a whole scan has been due; absent while none is.",
    unit: "since",
  }),
  scan: running({ kind: SCAN, of: scanOf }),
  /** How far the scan under way has come. */
  catchUp: running({ kind: CATCH_UP, of: ({ snapshot }) => catchUpOf(snapshot) }),
  suspectSlots: running({
    kind: count,
    of: ({ snapshot }) => snapshot.suspectSlots,
    gauge: "armdb_shard_suspect_slots",
    help: "Slots that looked different in the last scan and wait for the next one to tell.",
  }),
  /** Unix time of what comes from the state file and not from this run. */
  asOfMs: saved({
    kind: count,
    of: asOf,
    stopped: ({ saved, savedAtMs }) => (saved === null ? null : savedAtMs),
  }),
  rescannedTotal: saved({
    kind: digits,
    of: ({ snapshot }) => digitsOf(snapshot.rescannedTotal),
    stopped: ({ saved }) => saved?.counters?.rescannedTotal ?? null,
    counter: "armdb_shard_rescanned_slots_total",
    help: "Slots brought by a scan with which the stream restarted: lost or just written cannot be told.",
  }),
  replacedTotal: saved({
    kind: digits,
    of: ({ snapshot }) => digitsOf(snapshot.replacedTotal),
    stopped: ({ saved }) => saved?.counters?.replacedTotal ?? null,
    counter: "armdb_shard_replaced_slots_total",
    help: "Slots of the same version with other bytes, taken from a leader of protocol 2.",
  }),
  resetsSaved: saved({
    kind: count,
    of: ({ snapshot }) => snapshot.resetsSaved,
    stopped: ({ saved }) => saved?.counters?.resetsSaved ?? null,
    counter: "armdb_shard_resets_saved_total",
    help: "Good records saved in armdb-reset-SHARD.log, because the leader reset them or --accept-leader gives them up.",
  }),
  tornLoaded: running({
    kind: count,
    of: ({ snapshot }) => snapshot.tornLoaded,
    gauge: "armdb_shard_torn_slots_loaded",
    help: "Slots with a bad checksum or status found on disk at the start; a scan repairs them.",
  }),
  scansTotal: saved({
    kind: count,
    of: ({ snapshot }) => snapshot.scansDone,
    stopped: ({ saved }) => saved?.counters?.scansTotal ?? null,
    counter: "armdb_shard_scans_total",
    help: "Whole scans.",
  }),
  lastFullScanTookMs: saved({
    kind: count,
    of: ({ snapshot }) => rounded(snapshot.lastFullScanTookMs),
    stopped: ({ saved }) => rounded(saved?.lastFullScanTookMs ?? null),
    gauge: "armdb_shard_last_full_scan_duration_seconds",
    help: "How long the last whole scan took.",
    unit: "seconds",
  }),
  connections: running({
    kind: count,
    of: ({ snapshot }) => snapshot.connections,
    counter: "armdb_shard_connections_total",
    help: "Connections of the shard that the leader accepted.",
  }),
  bytesReceived: running({
    kind: digits,
    of: ({ snapshot }) => digitsOf(snapshot.bytesReceived),
    counter: "armdb_shard_received_bytes_total",
    help: "Bytes that came over the connections of the shard.",
  }),
  slowWrites: running({
    kind: count,
    of: ({ snapshot }) => snapshot.slowWrites,
    counter: "armdb_shard_slow_writes_total",
    help: "Writes to the shard's file that took more than 100 ms.",
  }),
  slowestWriteMs: running({
    kind: count,
    of: ({ snapshot }) => rounded(snapshot.slowestWriteMs),
    gauge: "armdb_shard_slowest_write_seconds",
    help: "The longest write to the shard's file.",
    unit: "seconds",
  }),
  /** Of the time since the shard's thread began, 0 to 1. */
  scanningShare: running({
    kind: count,
    of: ({ snapshot }) => Number(snapshot.scanningShare.toFixed(4)),
    gauge: "armdb_shard_scanning_ratio",
    help: "Share of the time spent in full scans.",
  }),
  /** Since the shard's thread said anything. */
  silentMs: running({
    kind: count,
    of: ({ silentMs }) => silentMs,
    gauge: "armdb_shard_last_word_timestamp_seconds",
    help: "Unix time at which the shard's thread last said anything; it does so every second.",
    unit: "timestamp",
  }),
  threadRestarts: running({
    kind: count,
    of: ({ restarts }) => restarts,
    counter: "armdb_shard_thread_restarts_total",
    help: "How often the shard's thread died and was started again.",
  }),
  /** At most 1000 of all shards together. */
  diverged: always({
    kind: someOf(DIVERGED, DIVERGED_LISTED_MAX),
    of: ({ snapshot, listedMax }) =>
      snapshot.diverged
        .slice(0, listedMax)
        .map(({ slot, here, there }) => divergedEntry(slot, here, there)),
    stopped: ({ saved }) =>
      (saved?.diverged ?? []).map(([slot, , here, there]) => divergedEntry(slot, here, there)),
  }),
} as const;

export interface ShardStatus extends ValuesOf<typeof SHARD_FIELDS> {}
