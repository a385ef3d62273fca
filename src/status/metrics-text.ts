// /metrics in the text format of Prometheus 0.0.4: HELP and TYPE before each series, one line a value. Pure. Labels are
// numbers and words of ours, never anything that a leader or a key said.

import { healthReasons } from "./health.ts";
import {
  FOLLOWER_SERIES,
  type ProcessFigures,
  SHARD_SERIES,
  STATE_SERIES,
} from "./metrics-table.ts";
import { SHARD_STATES, type StatusDocument } from "./status-types.ts";

export type { ProcessFigures } from "./metrics-table.ts";

export function metricsText(
  status: StatusDocument,
  figures: ProcessFigures,
  maxLagMs: number,
): string {
  const lines: string[] = [];
  const isHealthy = healthReasons(status, maxLagMs).length === 0;
  for (const series of FOLLOWER_SERIES) {
    const value = series.value({ status, figures, isHealthy });
    if (value === null) continue;
    head(lines, series);
    lines.push(`${series.name} ${value}`);
  }
  head(lines, STATE_SERIES);
  for (const { shard, state } of status.shards) {
    for (const each of SHARD_STATES) {
      const value = each === state ? 1 : 0;
      lines.push(`${STATE_SERIES.name}{shard="${shard}",state="${each}"} ${value}`);
    }
  }
  for (const series of SHARD_SERIES) {
    head(lines, series);
    for (const shard of status.shards) {
      const value = series.value({ shard, atMs: status.atMs });
      if (value !== null) lines.push(`${series.name}{shard="${shard.shard}"} ${value}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function head(
  lines: string[],
  series: { readonly name: string; readonly help: string; readonly type: string },
): void {
  lines.push(`# HELP ${series.name} ${series.help}`, `# TYPE ${series.name} ${series.type}`);
}
