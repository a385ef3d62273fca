// The answer of verify as text and as JSON (cli.md: JSON, verify). Used by the command verify; repair reads the JSON
// back from a report.

import { findingToJson } from "../../audit/finding-json.ts";
import type { ShardReport, VerifyReport } from "../../audit/verify.ts";
import type { DatabaseDirectory } from "../../audit/look/database-look.ts";
import type { Output } from "../surface/surface.ts";
import { escapeText } from "../surface/escape.ts";
import { formatBytes, formatCount, formatCounted, formatDuration } from "../surface/numbers.ts";
import { type Column, tableLines } from "../surface/tables.ts";
import { renderFindings, summariseFindings, verdictWord } from "./findings.ts";

/** The document of `verify --json` and of a report. */
export function verifyDocument(report: VerifyReport): Readonly<Record<string, unknown>> {
  return {
    schema: 1,
    command: "verify",
    verdict: report.verdict,
    live: report.live,
    stopped: report.stopped,
    complete: report.directory.copy.complete,
    directory: report.directory.path,
    ...geometryFields(report.directory),
    shards: report.shards.map((shard) => ({ ...shard, bytesRead: String(shard.bytesRead) })),
    findings: report.findings.map(findingToJson),
    bytesRead: String(report.bytesRead),
    checked: { slots: String(report.slotsChecked), bytes: String(report.bytesChecked) },
    ms: report.ms,
  };
}

/** Geometry as JSON names it (cli.md: JSON, inspect); null where no header says. */
export function geometryFields({
  routing,
  layout,
}: DatabaseDirectory): Readonly<Record<string, number | null>> {
  return {
    shardCount: routing.shardCount,
    shardPrefixBits: routing.shardPrefixBits,
    keyLen: layout?.keyLen ?? null,
    valueLen: layout?.valueLen ?? null,
    slotSize: layout?.slotSize ?? null,
  };
}

/** `2 shards, keys 8 B, values 16 B, slots 32 B, routed by the whole key` */
export function geometryLine({ routing, layout }: DatabaseDirectory): string {
  const sizes =
    layout === null
      ? "key and value length not known"
      : `keys ${layout.keyLen} B, values ${layout.valueLen} B, slots ${layout.slotSize} B`;
  const bits = routing.shardPrefixBits;
  const route = !routing.bitsKnown
    ? "routing not known"
    : bits === 0
      ? "routed by the whole key"
      : `routed by ${bits} bits of the key`;
  return `${formatCounted(routing.shardCount, "shard")}, ${sizes}, ${route}`;
}

const COLUMNS: readonly Column[] = [
  { title: "shard", align: "right" },
  { title: "slots", align: "right" },
  { title: "occupied", align: "right" },
  { title: "deleted", align: "right" },
  { title: "free", align: "right" },
  { title: "damaged", align: "right" },
  { title: "unread", align: "right" },
  { title: "closed" },
];

/** Prints accounting, findings and verdict. */
export function renderVerify(out: Output, report: VerifyReport, quick: boolean): void {
  const { palette } = out;
  out.line(`${palette.bold(escapeText(report.directory.path))}: ${geometryLine(report.directory)}`);
  if (report.live)
    out.line(
      palette.yellow(
        "It was being written while it was read: slots that looked bad were read again.",
      ),
    );
  out.line("");
  const rows = report.shards.map(shardRow);
  if (report.shards.length > 1) rows.push(totalRow(report.shards));
  for (const line of tableLines(COLUMNS, rows, out.columns, palette.bold)) out.line(line);
  renderFindings(out, report.findings);
  out.line("");
  out.line(verdictLine(out, report, quick));
}

function shardRow(shard: ShardReport): string[] {
  return [String(shard.shard), ...countCells(shard), shard.cleanShutdown ? "clean" : "not clean"];
}

function totalRow(shards: readonly ShardReport[]): string[] {
  const total = { slots: 0, occupied: 0, deleted: 0, free: 0, damaged: 0, unread: 0 };
  for (const shard of shards) {
    for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += shard[name];
  }
  return ["all", ...countCells(total), ""];
}

function countCells(
  counts: Pick<ShardReport, "slots" | "occupied" | "deleted" | "free" | "damaged" | "unread">,
): string[] {
  const { slots, occupied, deleted, free, damaged, unread } = counts;
  return [slots, occupied, deleted, free, damaged, unread].map(formatCount);
}

function verdictLine(out: Output, report: VerifyReport, quick: boolean): string {
  const checked = quick
    ? "Only sizes and headers were looked at (--quick)"
    : `${formatCounted(report.slotsChecked, "slot")} and ${formatBytes(report.bytesChecked)} checked in ${formatDuration(report.ms)}`;
  const said = summariseFindings(report.findings);
  return `${verdictWord(report.verdict, out.palette)}: ${said}. ${checked}.`;
}
