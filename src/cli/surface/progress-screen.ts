// Progress on a terminal: a line for the whole, and a row with a bar for each part, as many as fit. Pure; used by progress.ts and by
// what shows a follower.

import type { Glyphs } from "./glyphs.ts";
import { formatCount, formatShare } from "./numbers.ts";
import type { Palette, Screen, ScreenRow } from "./surface.ts";
import { cutText } from "./tables.ts";

const BAR_COLUMNS_MAX = 30;
const BAR_COLUMNS_MIN = 5;
/** Lines of the screen that are left to what was said before. */
const ROWS_LEFT = 4;

/** A terminal of this size now, and what it shows. */
export interface ScreenStyle {
  readonly columns: number;
  readonly rows: number;
  readonly palette: Palette;
  readonly glyphs: Glyphs;
}

/** None is wider than the terminal, and there are no more than it shows. All text is safe already. */
export function screenLines({ title, parts, rows }: Screen, style: ScreenStyle): string[] {
  const { palette, glyphs } = style;
  const wide = style.columns - 1;
  const shown = visible(rows, Math.max(1, style.rows - ROWS_LEFT));
  const labelColumns = widest(shown.map(({ label }) => label));
  const stateColumns = widest(shown.map(({ state }) => state));
  const room = wide - (2 + labelColumns + 2 + stateColumns + 2) - 1;
  const barred = shown.filter(({ share }) => share !== null);
  const barColumns = Math.min(BAR_COLUMNS_MAX, room - widest(barred.map(tailOf)));
  const lines = [palette.bold(headLine(title, parts, wide, glyphs))];
  for (const row of shown) {
    const paint = (text: string) => palette[row.colour](text);
    const head = `  ${padTo(row.label, labelColumns)}  ${paint(padTo(row.state, stateColumns))}  `;
    const { share } = row;
    const bar =
      share === null || barColumns < BAR_COLUMNS_MIN ? "" : barOf(share, barColumns, style);
    lines.push(cutText(`${head}${bar}${tailOf(row)}`.trimEnd(), wide, glyphs.cut));
  }
  const hidden = rows.length - shown.length;
  const more = cutText(`  and ${formatCount(hidden)} more`, wide, glyphs.cut);
  return hidden > 0 ? [...lines, palette.dim(more)] : lines;
}

function headLine(
  title: string,
  parts: readonly string[],
  columns: number,
  { dot, cut }: Glyphs,
): string {
  let line = title;
  for (const [index, part] of parts.filter((text) => text !== "").entries()) {
    const longer = `${line}${index === 0 ? "  " : ` ${dot} `}${part}`;
    if (Bun.stringWidth(longer) > columns) break;
    line = longer;
  }
  return cutText(line, columns, cut);
}

/** Those of a low rank where not all fit, each in its order. */
function visible(rows: readonly ScreenRow[], most: number): readonly ScreenRow[] {
  if (rows.length <= most) return rows;
  return rows.toSorted((left, right) => left.rank - right.rank).slice(0, most);
}

function tailOf({ share, text }: ScreenRow): string {
  return share === null ? text : `${formatShare(share, 1).padStart(5)}  ${text}`;
}

function barOf(share: number, columns: number, { palette, glyphs }: ScreenStyle): string {
  const done = Math.max(0, Math.min(columns, Math.floor(share * columns)));
  return `${palette.green(glyphs.done.repeat(done))}${palette.dim(glyphs.rest.repeat(columns - done))} `;
}

function widest(texts: readonly string[]): number {
  return Math.max(...texts.map((text) => Bun.stringWidth(text)), 0);
}

function padTo(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - Bun.stringWidth(text)));
}
