// Slots as text and as JSON (cli.md: JSON, inspect slot). Used by inspect shard, inspect slot and inspect key.

import type { ReadableShard, SlotView } from "../../audit/inspect/slot-view.ts";
import { toHex, u32Hex } from "../../bytes.ts";
import type { Output } from "../surface/surface.ts";
import { formatCount } from "../surface/numbers.ts";
import { type Column, tableLines } from "../surface/tables.ts";
import { type ByteFormat, hexDump, showKey, showRaw, showValue } from "./bytes.ts";
import { type FieldRow, renderFields } from "./fields.ts";

/** A slot as JSON has it everywhere. A redacted value is null. */
export function slotDocument(
  view: SlotView,
  format: ByteFormat,
): Readonly<Record<string, unknown>> {
  const { decoded } = view;
  return {
    slot: view.slot,
    offset: String(view.offset),
    status: view.statusName,
    version: decoded.version,
    crcStored: u32Hex(decoded.crcStored),
    crcComputed: u32Hex(view.crcComputed),
    crcMatches: view.crcMatches,
    key: toHex(decoded.key),
    value: format === "redacted" ? null : toHex(decoded.value),
    shardByKey: view.shardByKey,
  };
}

const LIST_COLUMNS: readonly Column[] = [
  { title: "slot", align: "right" },
  { title: "byte", align: "right" },
  { title: "status" },
  { title: "version", align: "right" },
  { title: "crc" },
  { title: "key", shrinks: true },
  { title: "value", shrinks: true },
];

/** A table of slots, one a line. */
export function renderSlotTable(out: Output, views: readonly SlotView[], format: ByteFormat): void {
  const rows = views.map((view) => [
    String(view.slot),
    String(view.offset),
    view.isDamaged ? out.palette.red(view.statusName) : view.statusName,
    String(view.decoded.version),
    crcWord(view),
    view.isNeverUsed ? "" : showKey(view.decoded.key, format),
    view.isNeverUsed ? "" : showValue(view.decoded.value, format),
  ]);
  for (const line of tableLines(LIST_COLUMNS, rows, out.columns, out.palette.dim)) out.line(line);
}

function crcWord(view: SlotView): string {
  if (view.isNeverUsed) return "";
  if (view.statusName === "occupied") return view.crcMatches ? "ok" : "BAD";
  return view.crcIsOfLastWrite === true ? "stale" : "-";
}

/** One slot field by field: place in the file, raw bytes, meaning; then key and value in full. */
export function renderSlot(
  out: Output,
  shard: ReadableShard,
  view: SlotView,
  format: ByteFormat,
): void {
  const { layout, look } = shard;
  const { decoded, offset, bytes } = view;
  const { palette } = out;
  out.line(
    `${palette.bold(`shard ${look.shard}, slot ${view.slot}`)}: bytes ${offset} to ${offset + layout.slotSize - 1} of ${look.data.name}`,
  );
  const valueStart = 8 + layout.keyLen;
  const paddingStart = valueStart + layout.valueLen;
  const row = (start: number, length: number, field: string, meaning: string): FieldRow => ({
    offset: offset + start,
    bytes: length,
    field,
    raw: showRaw(bytes.subarray(start, start + length)),
    meaning,
    ...(view.isDamaged && start < 8 ? { paint: palette.red } : {}),
  });
  const valueRow = row(
    valueStart,
    layout.valueLen,
    "value",
    view.isNeverUsed ? "" : showValue(decoded.value, format),
  );
  const rows = [
    row(
      0,
      4,
      "meta",
      view.isNeverUsed
        ? "free, never used"
        : `${view.statusName}, version ${formatCount(decoded.version)}`,
    ),
    row(4, 4, "crc32", describeCrc(view)),
    row(8, layout.keyLen, "key", view.isNeverUsed ? "" : showKey(decoded.key, format)),
    format === "redacted" ? { ...valueRow, raw: "(redacted)" } : valueRow,
  ];
  const padding = layout.slotSize - paddingStart;
  if (padding > 0) {
    const meaning = decoded.padding.every((byte) => byte === 0)
      ? "zeros, as they should be"
      : "should be zeros";
    rows.push(row(paddingStart, padding, "padding", meaning));
  }
  renderFields(out, rows);
  out.line("");
  out.line(routingLine(shard, view));
  if (view.isNeverUsed) return;
  out.line("");
  const shown = format === "redacted" ? bytes.subarray(0, valueStart) : bytes;
  for (const line of hexDump(shown, offset, out.columns)) out.line(line);
}

function describeCrc(view: SlotView): string {
  const stored = u32Hex(view.decoded.crcStored);
  const computed = u32Hex(view.crcComputed);
  switch (view.statusName) {
    case "occupied":
      return view.crcMatches
        ? `${stored} stored and computed: the record is sound`
        : `stored ${stored}, computed ${computed}: THE RECORD CANNOT BE TRUSTED`;
    case "deleted":
      return view.crcIsOfLastWrite === true
        ? `stored ${stored}, that of the write before the delete`
        : `stored ${stored}, computed ${computed}: not checked once deleted`;
    case "free":
      return view.isNeverUsed ? "zero" : `stored ${stored}: not checked in a free slot`;
    case "invalid":
      return `stored ${stored}, computed ${computed}: STATUS 3 IS NEVER WRITTEN`;
  }
}

function routingLine({ directory, look }: ReadableShard, view: SlotView): string {
  if (view.isNeverUsed) return "routing: no key";
  const { shardByKey } = view;
  if (shardByKey === null) return "routing: the prefix bits are not known";
  const { shardCount, shardPrefixBits } = directory.routing;
  const by =
    shardPrefixBits === 0
      ? "xxh3 of the whole key"
      : `xxh3 of the first ${shardPrefixBits} bits of the key`;
  const verdict =
    shardByKey === look.shard
      ? "where it is"
      : view.statusName === "occupied"
        ? "NOT WHERE IT IS: readers do not find it"
        : "not where it is, which matters only for live keys";
  return `routing: ${by} modulo ${shardCount} is shard ${shardByKey}, ${verdict}`;
}
