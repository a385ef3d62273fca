// A comparison as text and as the JSON document of cli.md. Pure: used by commands/compare.ts.

import { DIFFERENCE_KINDS } from "../../audit/compare/kinds.ts";
import { type SideWord, sideStatus } from "../../audit/look/side-word.ts";
import type { CompareReport, ShardDifference } from "../../audit/compare/report.ts";
import { versionOf } from "../../format/slot.ts";
import type { Palette } from "../surface/surface.ts";
import { escapeText } from "../surface/escape.ts";
import { formatCount, formatCounted } from "../surface/numbers.ts";

/** The document of `--json` (cli.md: JSON, compare). */
export function compareDocument(report: CompareReport): Record<string, unknown> {
  const differences: unknown[] = [];
  for (const { shard, slot, kind, here, there } of report.differences()) {
    differences.push({ shard, slot, kind, here: sideDocument(here), there: sideDocument(there) });
  }
  return {
    schema: 1,
    command: "compare",
    verdict: report.verdict,
    healed: report.healed,
    truncated: report.truncated,
    stopped: report.stopped,
    shards: report.shards.map(({ shard, compared, whole, differs, unknown }) => ({
      shard,
      compared,
      whole,
      differs,
      ...(unknown === null ? {} : { reason: escapeText(unknown.reason) }),
    })),
    differences,
  };
}

function sideDocument(word: SideWord): Record<string, unknown> {
  return { status: sideStatus(word), version: versionOf(word) };
}

/** One difference: `shard 0 slot 5  older    here occupied v3, there occupied v5`. */
export function differenceLine(
  { shard, slot, kind, here, there }: ShardDifference,
  palette: Palette,
): string {
  const place = `shard ${shard} slot ${slot}`.padEnd(20);
  return `${place} ${palette.red(kind.padEnd(7))}  here ${sideText(here)}, there ${sideText(there)}`;
}

function sideText(word: SideWord): string {
  const status = sideStatus(word);
  return status === "free" && versionOf(word) === 0 ? "nothing" : `${status} v${versionOf(word)}`;
}

/** A line a shard and the verdict, after the differences. */
export function summaryLines(report: CompareReport, palette: Palette): string[] {
  const kinds = countKinds(report);
  const lines = report.shards.map(({ shard, compared, whole, differs, unknown }) => {
    if (unknown !== null) {
      return `shard ${shard}: ${palette.yellow("not compared")}: ${escapeText(unknown.reason)}`;
    }
    const slots = `${formatCounted(compared, "slot")} compared`;
    const until = whole ? "" : `, ${palette.yellow("not all of it")}`;
    if (differs > 0) {
      const listed = kindsText(kinds.get(shard));
      return `shard ${shard}: ${slots}${until}, ${formatCount(differs)} differ (${listed})`;
    }
    if (whole) return `shard ${shard}: ${slots}, all the same`;
    return `shard ${shard}: ${slots}${until}; none of them differs`;
  });
  if (report.truncated) {
    lines.push("More slots differ than are kept: those past the first million are only counted.");
  }
  lines.push(verdictLine(report, palette));
  return lines;
}

type KindCounts = ReadonlyMap<string, number>;

function countKinds(report: CompareReport): ReadonlyMap<number, KindCounts> {
  const shards = new Map<number, Map<string, number>>();
  for (const { shard, kind } of report.differences()) {
    const counts = shards.get(shard) ?? new Map<string, number>();
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    shards.set(shard, counts);
  }
  return shards;
}

function kindsText(counts: KindCounts | undefined): string {
  const parts = DIFFERENCE_KINDS.filter((kind) => counts?.has(kind)).map(
    (kind) => `${formatCount(counts?.get(kind) ?? 0)} ${kind}`,
  );
  return parts.length === 0 ? "none of them listed" : parts.join(", ");
}

function verdictLine(report: CompareReport, palette: Palette): string {
  const differs = report.shards.reduce((sum, shard) => sum + shard.differs, 0);
  const compared = report.shards.reduce((sum, shard) => sum + shard.compared, 0);
  const unknown = report.shards.filter((shard) => shard.unknown !== null).length;
  const until = report.stopped ? " (stopped before the end)" : "";
  switch (report.verdict) {
    case "same":
      return `${palette.green("same")}: ${formatCounted(compared, "slot")} compared`;
    case "differs": {
      const healed = report.healed ? ", healed by the follower that compared them" : "";
      return `${palette.red("differs")}: ${formatCounted(differs, "slot")}${healed}${until}`;
    }
    case "unknown": {
      const what =
        unknown === 0 ? "not all was compared" : `${formatCounted(unknown, "shard")} not compared`;
      return `${palette.yellow("unknown")}: ${what}${until}`;
    }
  }
}
