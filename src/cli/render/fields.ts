// Fields of a header, a slot or a cursor as a table: offset, bytes, field, raw, meaning. The meaning is wrapped under
// itself; only a word that is longer than a line is cut. Used by the inspect commands.

import type { Output } from "../surface/surface.ts";
import { cutText, wrapText } from "../surface/tables.ts";

export interface FieldRow {
  readonly offset: number;
  readonly bytes: number;
  readonly field: string;
  readonly raw: string;
  readonly meaning: string;
  /** How the meaning is painted; plain when absent. */
  readonly paint?: (text: string) => string;
}

const GAP = "  ";
/** A meaning narrower than this goes on lines of its own. */
const MEANING_COLUMNS_MIN = 20;
const INDENT = " ".repeat(8);

/** Prints the rows under titles. */
export function renderFields(out: Output, rows: readonly FieldRow[]): void {
  const cells = rows.map((row) => [String(row.offset), String(row.bytes), row.field, row.raw]);
  const titles = ["offset", "bytes", "field", "raw"];
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...cells.map((cell) => Bun.stringWidth(cell[column] ?? ""))),
  );
  const lineOf = (parts: readonly string[]) =>
    parts
      .map((part, column) => {
        const space = " ".repeat(Math.max(0, (widths[column] ?? 0) - Bun.stringWidth(part)));
        return column < 2 ? space + part : part + space;
      })
      .join(GAP);
  out.line(out.palette.dim(`${lineOf(titles)}${GAP}meaning`));
  const meaningStart = widths.reduce((sum, width) => sum + width + GAP.length, 0);
  const room = out.columns - meaningStart;
  for (const [index, row] of rows.entries()) {
    const paint = row.paint ?? ((text: string) => text);
    const start = lineOf(cells[index] ?? []);
    if (room < MEANING_COLUMNS_MIN) {
      out.line(start.trimEnd());
      for (const line of wrapText(row.meaning, out.columns - INDENT.length))
        out.line(INDENT + paint(line));
      continue;
    }
    const [first = "", ...more] = wrapText(row.meaning, room).map((line) => cutText(line, room));
    out.line(`${start}${GAP}${paint(first)}`.trimEnd());
    for (const line of more) out.line(" ".repeat(meaningStart) + paint(line));
  }
}
