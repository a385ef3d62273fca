// /metrics in the text format of Prometheus 0.0.4: HELP and TYPE before each series, one line a value. Most series are those of
// fields and stand with them (fields.ts, follower-fields.ts). Names follow Prometheus: base units, `_total` for counters, times of last
// successes as timestamps, so that a series that stops moving shows as age. A gauge without a value is absent. Pure. Labels are numbers,
// words of ours and what the operator named, never anything that a leader or a key said.

import type { ProcessFigures } from "../io/process-figures.ts";
import { count, flag } from "./field-kinds.ts";
import { type AnyTable, type Metric, metricOf, Rows, runningValues } from "./field-rows.ts";
import { SHARD_FIELDS } from "./fields.ts";
import { FOLLOWER_FIELDS } from "./follower-fields.ts";
import { healthReasons } from "./health.ts";
import { SHARD_STATES, type StatusDocument } from "./status-types.ts";

/** What the process says of itself. */
export interface ProcessSaid extends ProcessFigures {
  /** Lines for stdout and stderr that were dropped because nobody read them. */
  readonly droppedLines: number;
}

interface ProcessFacts extends ProcessSaid {
  readonly shards: number;
  readonly isHealthy: boolean;
}

const { running } = new Rows<ProcessFacts, never>();

/** What has a series and is no field of the status document. */
const PROCESS_FIELDS = {
  isHealthy: running({
    kind: flag,
    of: ({ isHealthy }) => isHealthy,
    gauge: "armdb_healthy",
    help: "1 while /health says 200: lag within --max-lag, no shard stalled, failed, stopped or diverged, the state file saved, not stopping.",
  }),
  shards: running({
    kind: count,
    of: ({ shards }) => shards,
    gauge: "armdb_shards",
    help: "Shards that are followed.",
  }),
  droppedLines: running({
    kind: count,
    of: ({ droppedLines }) => droppedLines,
    counter: "armdb_output_lines_dropped_total",
    help: "Lines of stdout and stderr that were dropped because nobody read them.",
  }),
  residentBytes: running({
    kind: count,
    of: ({ residentBytes }) => residentBytes,
    gauge: "process_resident_memory_bytes",
    help: "Resident memory size.",
  }),
  cpuSeconds: running({
    kind: count,
    of: ({ cpuSeconds }) => cpuSeconds,
    counter: "process_cpu_seconds_total",
    help: "User and system time of all threads.",
  }),
} as const;

const BUILD = metricOf({
  gauge: "armdb_build_info",
  help: "1; its labels say which armdb this is.",
});
const FOLLOWER = metricOf({
  gauge: "armdb_follower_info",
  help: "1; its labels name the leader and the directory.",
});
const STATE = metricOf({
  gauge: "armdb_shard_state",
  help: "1 for the state the shard is in, 0 for the others.",
});

/** Every series that there is, in the order of the text. */
export const METRICS: readonly Metric[] = [
  ...[BUILD, FOLLOWER],
  ...[PROCESS_FIELDS, FOLLOWER_FIELDS, SHARD_FIELDS].flatMap((fields: AnyTable) =>
    Object.values(fields).flatMap(({ metric }) => metric ?? []),
  ),
  STATE,
];

/** What the operator wants to tell followers apart by. */
export interface Identity {
  readonly version: string;
  readonly commit: string;
  readonly directory: string;
}

/** A value of a series with its labels; decimal digits past 2^53, null: it has none. */
interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number | string | null;
}

export function metricsText(
  status: StatusDocument,
  figures: ProcessSaid,
  { version, commit, directory }: Identity,
  maxLagMs: number,
): string {
  const { shards, atMs } = status;
  const isHealthy = healthReasons(status, maxLagMs).length === 0;
  const facts = { ...figures, shards: shards.length, isHealthy };
  const states = shards.flatMap(({ shard, state }) =>
    SHARD_STATES.map((each) => ({ labels: { shard, state: each }, value: each === state ? 1 : 0 })),
  );
  const series = new Map<Metric, readonly Sample[]>([
    [BUILD, [{ labels: { version, commit }, value: 1 }]],
    [FOLLOWER, [{ labels: { leader: status.leader ?? "", directory }, value: 1 }]],
    ...seriesOf(PROCESS_FIELDS, [[{}, runningValues(PROCESS_FIELDS, facts)]], atMs),
    ...seriesOf(FOLLOWER_FIELDS, [[{}, status]], atMs),
    [STATE, states],
    ...seriesOf(
      SHARD_FIELDS,
      shards.map((shard) => [{ shard: shard.shard }, shard]),
      atMs,
    ),
  ]);
  return METRICS.flatMap((metric) => linesOf(metric, series.get(metric) ?? [])).join("");
}

function linesOf({ name, help, type }: Metric, samples: readonly Sample[]): string[] {
  const lines = samples
    .filter(({ value }) => value !== null)
    .map(({ labels, value }) => `${name}${labelsText(labels)} ${value}\n`);
  return lines.length === 0 ? [] : [`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`, ...lines];
}

function labelsText(labels: Sample["labels"]): string {
  const texts = Object.entries(labels).map(([name, value]) => `${name}="${labelValue(value)}"`);
  return texts.length === 0 ? "" : `{${texts.join(",")}}`;
}

function labelValue(value: string | number): string {
  return String(value).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/** The series of a table, for each of these documents with its labels. */
function seriesOf(
  fields: AnyTable,
  documents: readonly (readonly [Sample["labels"], object])[],
  atMs: number,
): [Metric, Sample[]][] {
  return Object.entries(fields).flatMap(([name, { metric }]) => {
    if (metric === null) return [];
    const samples = documents.map(([labels, document]) => {
      const values = document as Readonly<Record<string, unknown>>;
      return { labels, value: valueOf(metric, values[name], values, atMs) };
    });
    return [[metric, samples]];
  });
}

/** A counter of this run of which nothing is known yet has counted nothing. */
function valueOf(
  { type, unit }: Metric,
  value: unknown,
  { caughtUp }: Readonly<Record<string, unknown>>,
  atMs: number,
): Sample["value"] {
  if (value === null) {
    if (unit === "lag" && caughtUp === false) return "+Inf";
    return type === "counter" && unit === "plain" ? 0 : null;
  }
  switch (unit) {
    case "plain":
    case "lifetime":
      return typeof value === "boolean" ? Number(value) : (value as number | string);
    case "timestamp":
      return (atMs - Number(value)) / 1000;
    case "since":
      return (value as { readonly sinceMs: number }).sinceMs / 1000;
    case "lag":
    case "seconds":
      return Number(value) / 1000;
  }
}
