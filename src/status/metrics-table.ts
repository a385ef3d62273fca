// Every series of /metrics: name, kind, help, and where its value comes from; those of a shard stand in fields.ts. Used by
// metrics-text.ts; the tests hold that each of them moves. Names follow Prometheus: base units, `_total` for counters, times of last successes
// as timestamps, so that a series that stops moving shows as age. Pure.

import type { Metric } from "./field-kinds.ts";
import { SHARD_FIELDS, type ShardFields } from "./fields.ts";
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
  /** Null: it has none, and the series is absent. */
  value(facts: Facts): SeriesValue | null;
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
    help: "Protocol of the leader, 1 or 2.",
    value: ({ status }) => status.protocol,
  },
  {
    name: "armdb_leader_connections_today",
    type: "gauge",
    help: "Connections that this leader process accepted in the last 24 hours; counted on protocol 1, which never gives their memory back.",
    value: ({ status }) => status.connectionsToday,
  },
  {
    name: "armdb_uptime_seconds",
    type: "gauge",
    help: "Since this follower was started.",
    value: ({ status }) => (status.upMs === null ? null : seconds(status.upMs)),
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

/** One value for each shard, labelled with its number: every field that has a series. */
export const SHARD_SERIES: readonly Series<ShardFacts>[] = Object.entries(SHARD_FIELDS).flatMap(
  ([name, { metric }]) => {
    if (metric === null) return [];
    const value = ({ shard, atMs }: ShardFacts) =>
      valueOf(metric, shard[name as keyof ShardFields], shard, atMs);
    return [{ name: metric.name, type: metric.type, help: metric.help, value }];
  },
);

/** Null: the series is absent. A counter of which nothing is known yet has counted nothing. */
function valueOf(
  { type, unit }: Metric,
  value: ShardFields[keyof ShardFields],
  { caughtUp }: ShardStatus,
  atMs: number,
): SeriesValue | null {
  if (value === null) {
    if (unit === "lag" && caughtUp === false) return "+Inf";
    return type === "counter" ? 0 : null;
  }
  if (typeof value === "boolean") return flag(value);
  if (typeof value === "object") return "sinceMs" in value ? seconds(value.sinceMs) : null;
  if (unit === "plain") return value;
  return unit === "timestamp" ? (atMs - Number(value)) / 1000 : seconds(Number(value));
}

/** 1 for the state a shard is in, 0 for the others; labelled with shard and state. */
export const STATE_SERIES = {
  name: "armdb_shard_state",
  type: "gauge",
  help: "1 for the state the shard is in.",
} as const;

function flag(on: boolean): number {
  return on ? 1 : 0;
}

function seconds(ms: number): number {
  return ms / 1000;
}
