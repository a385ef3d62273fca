// Every series of /metrics, in one place: name, kind, help, and where its value comes from. Used by metrics-text.ts; the
// tests hold that each of them moves. Names follow Prometheus: base units, `_total` for counters, times of last successes
// as timestamps, so that a series that stops moving shows as age. Pure.

import type { ShardStatus, StatusDocument } from "./status-types.ts";

/** What the process says of itself. */
export interface ProcessFigures {
  readonly residentBytes: number;
  readonly cpuSeconds: number;
}

export interface ProcessFacts {
  readonly status: StatusDocument;
  readonly figures: ProcessFigures;
  readonly isHealthy: boolean;
}

export interface ShardFacts {
  readonly shard: ShardStatus;
  /** Unix time of the document, ms. */
  readonly atMs: number;
}

/** A number, or decimal digits past 2^53. */
export type SeriesValue = number | string;

export interface Series<Facts> {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  value(facts: Facts): SeriesValue;
}

/** One value for the whole follower. */
export const FOLLOWER_SERIES: readonly Series<ProcessFacts>[] = [
  {
    name: "armdb_healthy",
    type: "gauge",
    help: "1 while /health says 200: lag within --max-lag, no shard stalled, failed or diverged.",
    value: ({ isHealthy }) => flag(isHealthy),
  },
  {
    name: "armdb_ready",
    type: "gauge",
    help: "1 once every shard has caught up and is durable.",
    value: ({ status }) => flag(status.ready),
  },
  {
    name: "armdb_shards",
    type: "gauge",
    help: "Shards that are followed.",
    value: ({ status }) => status.shards.length,
  },
  {
    name: "armdb_leader_protocol",
    type: "gauge",
    help: "Protocol of the leader, 1 or 2; 0 while it is not known.",
    value: ({ status }) => status.protocol ?? 0,
  },
  {
    name: "armdb_leader_connections_today",
    type: "gauge",
    help: "Connections of the last 24 hours to this leader process; counted on protocol 1, which never gives their memory back.",
    value: ({ status }) => status.connectionsToday ?? 0,
  },
  {
    name: "armdb_uptime_seconds",
    type: "gauge",
    help: "Since this follower was started.",
    value: ({ status }) => seconds(status.upMs),
  },
  {
    name: "process_resident_memory_bytes",
    type: "gauge",
    help: "Resident memory size.",
    value: ({ figures }) => figures.residentBytes,
  },
  {
    name: "process_cpu_seconds_total",
    type: "counter",
    help: "User and system time of all threads.",
    value: ({ figures }) => figures.cpuSeconds,
  },
];

/** One value for each shard, labelled with its number. */
export const SHARD_SERIES: readonly Series<ShardFacts>[] = [
  {
    name: "armdb_shard_ready",
    type: "gauge",
    help: "1 once the shard has caught up and what it caught up with is durable.",
    value: ({ shard }) => flag(shard.ready === true),
  },
  {
    name: "armdb_shard_lag_seconds",
    type: "gauge",
    help: "How far the shard may be behind its leader; +Inf until it has caught up once. Heartbeats of an idle leader count as news.",
    value: ({ shard }) => (shard.lagMs === null ? "+Inf" : seconds(shard.lagMs)),
  },
  {
    name: "armdb_shard_durable_lag_seconds",
    type: "gauge",
    help: "Age of the oldest write that is not durable yet.",
    value: ({ shard }) => seconds(shard.durableLagMs),
  },
  {
    name: "armdb_shard_last_frame_timestamp_seconds",
    type: "gauge",
    help: "Unix time of the last frame from the leader, 0 for never.",
    value: ({ shard, atMs }) => timestamp(shard.lastFrameMsAgo, atMs),
  },
  {
    name: "armdb_shard_last_full_scan_timestamp_seconds",
    type: "gauge",
    help: "Unix time at which the last whole scan began, 0 for never.",
    value: ({ shard, atMs }) => timestamp(shard.lastFullScanMsAgo, atMs),
  },
  {
    name: "armdb_shard_last_full_scan_duration_seconds",
    type: "gauge",
    help: "How long the last whole scan took.",
    value: ({ shard }) => seconds(shard.lastFullScanTookMs),
  },
  {
    name: "armdb_shard_last_word_timestamp_seconds",
    type: "gauge",
    help: "Unix time at which the shard's thread last said anything; it does so every second.",
    value: ({ shard, atMs }) => timestamp(shard.silentMs, atMs),
  },
  {
    name: "armdb_shard_scanning_ratio",
    type: "gauge",
    help: "Share of the time spent in full scans.",
    value: ({ shard }) => shard.scanningShare ?? 0,
  },
  {
    name: "armdb_shard_slots",
    type: "gauge",
    help: "Slots in the shard's file.",
    value: ({ shard }) => shard.slots ?? 0,
  },
  {
    name: "armdb_shard_occupied_slots",
    type: "gauge",
    help: "Slots that hold a record.",
    value: ({ shard }) => shard.occupied ?? 0,
  },
  {
    name: "armdb_shard_scanned_events",
    type: "gauge",
    help: "Events of the scan under way, or of the last one.",
    value: ({ shard }) => shard.scanned ?? "0",
  },
  {
    name: "armdb_shard_diverged_slots",
    type: "gauge",
    help: "Slots that differ from the leader, are not older here, and still did at the next scan.",
    value: ({ shard }) => shard.divergedSlots ?? 0,
  },
  {
    name: "armdb_shard_max_version",
    type: "gauge",
    help: "Greatest slot version applied.",
    value: ({ shard }) => shard.maxVersionSeen ?? 0,
  },
  {
    name: "armdb_shard_torn_slots_loaded",
    type: "gauge",
    help: "Slots with a bad checksum found on disk at the start; a scan mends them.",
    value: ({ shard }) => shard.tornLoaded ?? 0,
  },
  {
    name: "armdb_shard_slowest_write_seconds",
    type: "gauge",
    help: "The longest write to the shard's file.",
    value: ({ shard }) => seconds(shard.slowestWriteMs),
  },
  {
    name: "armdb_shard_received_bytes_total",
    type: "counter",
    help: "Bytes from the leader.",
    value: ({ shard }) => shard.bytesReceived ?? "0",
  },
  {
    name: "armdb_shard_applied_events_total",
    type: "counter",
    help: "Events that changed something here, earlier runs included.",
    value: ({ shard }) => shard.appliedTotal ?? "0",
  },
  {
    name: "armdb_shard_skipped_events_total",
    type: "counter",
    help: "Events that were not newer than what is here.",
    value: ({ shard }) => shard.skippedTotal ?? "0",
  },
  {
    name: "armdb_shard_healed_slots_total",
    type: "counter",
    help: "Slots that a scan beside the live stream had to mend: the leader had lost their events.",
    value: ({ shard }) => shard.healedTotal ?? "0",
  },
  {
    name: "armdb_shard_rescanned_slots_total",
    type: "counter",
    help: "Slots brought by a scan with which the stream restarted: lost or just written cannot be told.",
    value: ({ shard }) => shard.rescannedTotal ?? "0",
  },
  {
    name: "armdb_shard_replaced_slots_total",
    type: "counter",
    help: "Slots of the same version with other bytes, taken from a leader of protocol 2.",
    value: ({ shard }) => shard.replacedTotal ?? "0",
  },
  {
    name: "armdb_shard_resets_saved_total",
    type: "counter",
    help: "Good records that the leader reset, saved in armdb-reset-SHARD.log.",
    value: ({ shard }) => shard.resetsSaved ?? 0,
  },
  {
    name: "armdb_shard_scans_total",
    type: "counter",
    help: "Whole scans.",
    value: ({ shard }) => shard.scansTotal ?? 0,
  },
  {
    name: "armdb_shard_connections_total",
    type: "counter",
    help: "Connections that were begun.",
    value: ({ shard }) => shard.connections ?? 0,
  },
  {
    name: "armdb_shard_reconnects_total",
    type: "counter",
    help: "Connections begun because one was lost or refused.",
    value: ({ shard }) => shard.reconnects ?? 0,
  },
  {
    name: "armdb_shard_slow_writes_total",
    type: "counter",
    help: "Writes that took more than 100 ms.",
    value: ({ shard }) => shard.slowWrites ?? 0,
  },
  {
    name: "armdb_shard_thread_restarts_total",
    type: "counter",
    help: "How often the shard's thread died and was started again.",
    value: ({ shard }) => shard.threadRestarts ?? 0,
  },
];

/** 1 for the state a shard is in, 0 for the others; labelled with shard and state. */
export const STATE_SERIES = {
  name: "armdb_shard_state",
  type: "gauge",
  help: "1 for the state the shard is in.",
} as const;

function flag(on: boolean): number {
  return on ? 1 : 0;
}

function seconds(ms: number | null): number {
  return (ms ?? 0) / 1000;
}

function timestamp(msAgo: number | null, atMs: number): number {
  return msAgo === null ? 0 : (atMs - msAgo) / 1000;
}
