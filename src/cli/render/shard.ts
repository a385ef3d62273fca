// A shard as text: its header field by field, how full it is, how its versions are spread. Used by inspect shard.

import type { DatabaseDirectory, ShardLook } from "../../audit/look/database-look.ts";
import type { ScanCounts } from "../../audit/scan/data.ts";
import type { SpreadCell, VersionSpread } from "../../audit/inspect/shard-spread.ts";
import { SHARD_HEADER_BYTES, SHARD_MAGIC, shardFileBytes } from "../../format/shard-header.ts";
import type { Output } from "../surface/surface.ts";
import { formatBytes, formatCount, formatShare } from "../surface/numbers.ts";
import { type Column, tableLines, wrapText } from "../surface/tables.ts";
import { showRaw } from "./bytes.ts";
import { type FieldRow, renderFields } from "./fields.ts";

/** The header with offsets, raw bytes and meanings (format.md: fixed.data header); what is there of it. */
export function renderHeader(out: Output, look: ShardLook): void {
  const { palette } = out;
  const bytes = look.data.bytes;
  const size =
    look.data.facts === null
      ? "not there"
      : `${formatCount(look.fileBytes)} bytes (${formatBytes(look.fileBytes)})`;
  out.line(`${palette.bold(look.data.name)}: ${size}`);
  if (bytes === null || look.header === null) {
    if (bytes !== null)
      out.line(palette.red(`shorter than a header of ${SHARD_HEADER_BYTES} bytes`));
    return;
  }
  const { header } = look;
  const row = (
    offset: number,
    length: number,
    field: string,
    meaning: string,
    paint?: FieldRow["paint"],
  ): FieldRow => ({
    offset,
    bytes: length,
    field,
    raw: showRaw(bytes.subarray(offset, offset + length)),
    meaning,
    ...(paint === undefined ? {} : { paint }),
  });
  const isFixd = header.magic === SHARD_MAGIC;
  renderFields(out, [
    isFixd ? row(0, 4, "magic", '"FIXD"') : row(0, 4, "magic", 'not "FIXD"', palette.red),
    row(4, 2, "version", `${header.version}`),
    row(6, 2, "slot_size", `${header.slotSize} bytes`),
    row(8, 4, "slot_count", `${formatCount(header.slotCount)} slots`),
    row(12, 2, "key_len", `${header.keyLen} bytes`),
    row(14, 2, "value_len", `${header.valueLen} bytes`),
    row(16, 1, "shard_id", `shard ${header.shardId}`),
    row(17, 1, "clean_shutdown", describeCleanFlag(header.cleanShutdown)),
    header.reservedIsZero
      ? row(18, bytes.length - 18, "reserved", "zeros")
      : row(18, bytes.length - 18, "reserved", "not all zeros", palette.yellow),
  ]);
}

function describeCleanFlag(flag: number): string {
  if (flag === 1) return "closed in good order, not opened since";
  return flag === 0
    ? "open, or not closed in good order"
    : "neither 0 nor 1: counts as not closed in good order";
}

/** Counts with their share of all slots. */
export function renderCounts(out: Output, slots: number, counts: ScanCounts): void {
  const rows = (["occupied", "deleted", "free", "damaged", "unread"] as const)
    .filter((name) => name !== "unread" || counts.unread > 0)
    .map((name) => [
      name === "damaged" && counts.damaged > 0 ? out.palette.red(name) : name,
      formatCount(counts[name]),
      formatShare(counts[name], slots),
    ]);
  rows.push(["all", formatCount(slots), ""]);
  const columns: Column[] = [
    { title: "slots" },
    { title: "count", align: "right" },
    { title: "share", align: "right" },
  ];
  for (const line of tableLines(columns, rows, out.columns, out.palette.dim)) out.line(line);
}

const MAP_ROWS_MAX = 8;
const MAP_LABEL_COLUMNS = 12;
const MAP_COLUMNS_MAX = 100;

/** Cells of an occupancy map that fits this width. */
export function mapCells(columns: number): number {
  return mapColumns(columns) * MAP_ROWS_MAX;
}

function mapColumns(columns: number): number {
  return Math.max(8, Math.min(MAP_COLUMNS_MAX, columns - MAP_LABEL_COLUMNS));
}

/** A map of the shard: each sign is a run of slots, the fuller the darker. */
export function renderMap(out: Output, cells: readonly SpreadCell[]): void {
  const { palette } = out;
  const perRow = mapColumns(out.columns);
  const perCell = Math.max(...cells.map((cell) => cell.slots), 1);
  const scale =
    perCell === 1 ? "a sign is a slot" : `a sign is up to ${formatCount(perCell)} slots`;
  out.line(`${palette.bold("occupancy")}: ${scale}`);
  out.line(
    `  ${palette.dim("·")} free   x deleted only   ░▒▓█ a quarter to all live   ${palette.red("!")} damaged`,
  );
  let slot = 0;
  for (let start = 0; start < cells.length; start += perRow) {
    const row = cells.slice(start, start + perRow);
    const label = String(slot).padStart(MAP_LABEL_COLUMNS - 2);
    out.line(`${palette.dim(label)}  ${row.map((cell) => signOf(out, cell)).join("")}`);
    slot += row.reduce((sum, cell) => sum + cell.slots, 0);
  }
}

function signOf(out: Output, cell: SpreadCell): string {
  if (cell.damaged > 0) return out.palette.red("!");
  if (cell.occupied === 0) return cell.deleted > 0 ? "x" : out.palette.dim("·");
  const quarter = Math.ceil((cell.occupied / cell.slots) * 4);
  return quarter >= 4 ? "█" : quarter === 3 ? "▓" : quarter === 2 ? "▒" : "░";
}

/** Least, median, greatest version, and how many slots have versions of each size. */
export function renderVersions(out: Output, spread: VersionSpread | null): void {
  const { palette } = out;
  if (spread === null) {
    out.line(`${palette.bold("versions")}: no slot was ever used`);
    return;
  }
  const { min, median, max, byBits } = spread;
  out.line(
    `${palette.bold("versions")}: least ${formatCount(min)}, median ${formatCount(median)}, greatest ${formatCount(max)}`,
  );
  const first = byBits.findIndex((count) => count > 0);
  const most = Math.max(...byBits, 1);
  const barMax = Math.max(8, Math.min(50, out.columns - 40));
  for (let bits = first; bits < byBits.length; bits++) {
    const count = byBits[bits] ?? 0;
    const bar = "█".repeat(Math.max(count > 0 ? 1 : 0, Math.round((count / most) * barMax)));
    out.line(
      `  ${rangeOf(bits).padStart(25)} ${formatCount(count).padStart(10)} ${palette.cyan(bar)}`.trimEnd(),
    );
  }
}

/** Versions of so many bits: `0`, `1`, `2 to 3`, `4 to 7`. */
function rangeOf(bits: number): string {
  if (bits < 2) return String(bits);
  return `${formatCount(2 ** (bits - 1))} to ${formatCount(2 ** bits - 1)}`;
}

/** Room left in the file, and what it would take to grow it. */
export function renderGrowth(
  out: Output,
  directory: DatabaseDirectory,
  look: ShardLook,
  lastUsedSlot: number,
  counts: ScanCounts,
): void {
  const { layout } = directory;
  if (layout === null || look.header === null) return;
  const { slotCount } = look.header;
  const spare = look.fileBytes - shardFileBytes(slotCount, layout.slotSize);
  const free = counts.free + counts.deleted;
  const used =
    lastUsedSlot < 0
      ? "no slot was ever used"
      : `slot ${formatCount(lastUsedSlot)} is the last that was ever used`;
  const room = `${formatCount(free)} slots (${formatBytes(free * layout.slotSize)}) can take new keys before the file grows`;
  const extra = spare > 0 ? `; the file is ${formatBytes(spare)} longer than its slots need` : "";
  renderParagraph(out, "growth", `${used}; ${room}${extra}`);
}

/** `title: text`, wrapped, the title bold. */
function renderParagraph(out: Output, title: string, text: string): void {
  const [first = "", ...rest] = wrapText(`${title}: ${text}`, out.columns - 2);
  out.line(out.palette.bold(first.slice(0, title.length)) + first.slice(title.length));
  for (const line of rest) out.line(`  ${line}`);
}
