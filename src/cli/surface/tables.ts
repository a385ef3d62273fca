// Tables and paragraphs that fit the terminal. Cells may hold colours; widths are measured without them.

/** One column of a table. */
export interface Column {
  readonly title: string;
  /** Numbers stand to the right. */
  readonly align?: "left" | "right";
  /** Cut with `…` when the table is too wide, from the last such column on. At least one should say so. */
  readonly shrinks?: boolean;
}

const GAP = "  ";
const COLUMN_MIN = 6;

/** Lines of a table, titles first. No line is wider than `columns` as long as shrinking columns have room to give. */
export function tableLines(
  table: readonly Column[],
  rows: readonly (readonly string[])[],
  columns: number,
  styleTitle: (text: string) => string = (text) => text,
): string[] {
  const widths = table.map((column, index) =>
    Math.max(
      Bun.stringWidth(column.title),
      ...rows.map((row) => Bun.stringWidth(row[index] ?? "")),
    ),
  );
  shrink(table, widths, columns);
  const titles = table.map((column) => column.title);
  return [
    styleTitle(rowLine(table, widths, titles)),
    ...rows.map((row) => rowLine(table, widths, row)),
  ];
}

function shrink(table: readonly Column[], widths: number[], columns: number): void {
  const total = () => widths.reduce((sum, width) => sum + width, GAP.length * (widths.length - 1));
  for (let index = table.length - 1; index >= 0; index--) {
    if (table[index]?.shrinks !== true) continue;
    const excess = total() - columns;
    if (excess <= 0) return;
    widths[index] = Math.max(COLUMN_MIN, (widths[index] ?? 0) - excess);
  }
}

function rowLine(table: readonly Column[], widths: readonly number[], cells: readonly string[]) {
  const parts = table.map((column, index) => {
    const width = widths[index] ?? 0;
    const cell = cutText(cells[index] ?? "", width);
    const space = " ".repeat(Math.max(0, width - Bun.stringWidth(cell)));
    return column.align === "right" ? space + cell : cell + space;
  });
  return parts.join(GAP).trimEnd();
}

/** Cuts text to `columns`, colours left whole, with a mark at the end of what was cut. */
export function cutText(text: string, columns: number, mark = "…"): string {
  if (Bun.stringWidth(text) <= columns) return text;
  let kept = "";
  let width = 0;
  let styled = false;
  // biome-ignore lint: colour sequences are what is looked for
  for (const [piece] of text.matchAll(/\x1b\[[0-9;]*m|./gsu)) {
    if (piece.startsWith("\x1b[")) {
      kept += piece;
      styled = true;
      continue;
    }
    width += Bun.stringWidth(piece);
    if (width > columns - 1) break;
    kept += piece;
  }
  return `${kept}${mark}${styled ? "\x1b[0m" : ""}`;
}

/** Breaks a paragraph at spaces. A word longer than a line stands alone. */
export function wrapText(text: string, columns: number, indent = ""): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter((part) => part !== "")) {
    const longer = line === "" ? indent + word : `${line} ${word}`;
    if (line !== "" && Bun.stringWidth(longer) > columns) {
      lines.push(line);
      line = indent + word;
    } else {
      line = longer;
    }
  }
  if (line !== "") lines.push(line);
  return lines;
}

/** Two columns: a term and what it means, wrapped beside it; a term that is too long stands on a line of its own. */
export function definitionLines(
  entries: readonly (readonly [string, string])[],
  columns: number,
  termColumnsMax = 30,
): string[] {
  const widths = entries.map(([term]) => Bun.stringWidth(term));
  const termColumns = Math.max(0, ...widths.filter((width) => width <= termColumnsMax));
  const indent = " ".repeat(2 + termColumns + GAP.length);
  const lines: string[] = [];
  for (const [index, [term, meaning]] of entries.entries()) {
    const wrapped = wrapText(meaning, columns, indent);
    const width = widths[index] ?? 0;
    if (width > termColumns) {
      lines.push(`  ${term}`, ...wrapped);
      continue;
    }
    const first = (wrapped[0] ?? "").trimStart();
    lines.push(`  ${term}${" ".repeat(termColumns - width)}${GAP}${first}`.trimEnd());
    lines.push(...wrapped.slice(1));
  }
  return lines;
}
