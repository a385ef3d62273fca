// How far long work has come: rows with a bar on a terminal, one plain line per interval elsewhere, one JSON object per
// interval under --json or --log-format json. Rate and time left are worked out from successive updates.

import type { Palette, Progress, ProgressRow } from "./surface.ts";
import type { Display } from "./display.ts";
import { escapeText } from "./escape.ts";
import { formatBytes, formatCount, formatDuration, formatRough, formatShare } from "./numbers.ts";
import { RateMeter } from "./rate.ts";
import { cutText } from "./tables.ts";

const REDRAW_MS = 100;
/** Plain lines: the first after 5 s, every 5 s in the first minute, every 30 s from then on. */
const LINE_MS = 5_000;
const LINE_MS_LATER = 30_000;
const LATER_AFTER_MS = 60_000;
const BAR_COLUMNS_MAX = 30;
const BAR_COLUMNS_MIN = 5;

/** Where progress goes. */
export interface ProgressTarget {
  /** Set on a terminal. */
  readonly display: Display | null;
  readonly palette: Palette;
  columns(): number;
  /** Lines of the terminal. */
  rows(): number;
  nowMs(): number;
  /** Off a terminal: a plain line for people. */
  line(text: string): void;
  /** Where scripts read stderr: an object; null where people do. */
  readonly object: ((document: unknown) => void) | null;
}

/** What is known of a set of rows at one moment. */
export interface ProgressFacts {
  readonly title: string;
  readonly rows: readonly ProgressRow[];
  readonly done: number;
  /** 0 unless every row knows its total. */
  readonly total: number;
  readonly unit: "slots" | "bytes";
  readonly perSecond: number;
  /** Null when it cannot be told. */
  readonly leftMs: number | null;
  readonly elapsedMs: number;
}

export function createProgress(title: string, target: ProgressTarget): Progress {
  return new RunningProgress(title, target);
}

class RunningProgress implements Progress {
  readonly #title: string;
  readonly #target: ProgressTarget;
  readonly #startMs: number;
  readonly #meter = new RateMeter();
  #shownMs: number;
  #stopped = false;

  constructor(title: string, target: ProgressTarget) {
    this.#title = escapeText(title);
    this.#target = target;
    this.#startMs = target.nowMs();
    this.#shownMs = target.display === null ? this.#startMs : Number.NEGATIVE_INFINITY;
  }

  update(rows: readonly ProgressRow[]): void {
    if (this.#stopped) return;
    const nowMs = this.#target.nowMs();
    const done = rows.reduce((sum, row) => sum + row.done, 0);
    this.#meter.add(nowMs, done);
    if (nowMs - this.#shownMs < this.#intervalMs(nowMs)) return;
    this.#shownMs = nowMs;
    this.#show(this.#factsOf(rows, done, nowMs));
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#target.display?.end();
  }

  #intervalMs(nowMs: number): number {
    if (this.#target.display !== null) return REDRAW_MS;
    return nowMs - this.#startMs > LATER_AFTER_MS ? LINE_MS_LATER : LINE_MS;
  }

  #factsOf(rows: readonly ProgressRow[], done: number, nowMs: number): ProgressFacts {
    const isKnown = rows.length > 0 && rows.every((row) => row.total > 0);
    const total = isKnown ? rows.reduce((sum, row) => sum + row.total, 0) : 0;
    const perSecond = this.#meter.perSecond();
    const leftMs =
      total > 0 && perSecond > 0 ? (Math.max(0, total - done) / perSecond) * 1000 : null;
    return {
      title: this.#title,
      rows,
      done,
      total,
      unit: rows[0]?.unit ?? "slots",
      perSecond,
      leftMs,
      elapsedMs: nowMs - this.#startMs,
    };
  }

  #show(facts: ProgressFacts): void {
    const { display, object } = this.#target;
    if (display !== null) {
      const { columns, rows, palette } = this.#target;
      display.draw(progressScreen(facts, columns(), rows(), palette));
    } else if (object !== null) {
      object(progressObject(facts));
    } else {
      this.#target.line(progressLine(facts));
    }
  }
}

/** `follow: 45%, 12,345 of 27,000 slots, 1.2 M slots/s, 34 s left; 3 scanning, 1 live`. */
export function progressLine(facts: ProgressFacts): string {
  const states = new Map<string, number>();
  for (const row of facts.rows) states.set(row.state, (states.get(row.state) ?? 0) + 1);
  const parts = [formatShare(facts.done, facts.total), amountOf(facts), speed(facts), left(facts)];
  const tail = [...states].map(([state, count]) => `${count} ${escapeText(state)}`).join(", ");
  return `${facts.title}: ${parts.filter((part) => part !== "").join(", ")}; ${tail}`;
}

/** The same for scripts. */
function progressObject(facts: ProgressFacts): unknown {
  return {
    schema: 1,
    type: "progress",
    title: facts.title,
    unit: facts.unit,
    done: String(facts.done),
    total: facts.total > 0 ? String(facts.total) : null,
    perSecond: Math.round(facts.perSecond),
    leftMs: facts.leftMs === null ? null : Math.round(facts.leftMs),
    ms: Math.round(facts.elapsedMs),
    rows: facts.rows.map((row) => ({
      label: row.label,
      state: row.state,
      done: String(row.done),
      total: row.total > 0 ? String(row.total) : null,
    })),
  };
}

/** The lines of the display, none wider than the terminal, and no more of them than it shows. */
export function progressScreen(
  facts: ProgressFacts,
  columns: number,
  screenRows: number,
  palette: Palette,
): string[] {
  const wide = columns - 1;
  const lines = [palette.bold(headLine(facts, wide))];
  const shown = visibleRows(facts.rows, Math.max(1, screenRows - 4));
  const cells = shown.map((row) => ({
    row,
    label: escapeText(row.label),
    state: escapeText(row.state),
    tail: `${formatShare(row.done, row.total).padStart(4)}  ${amountOf(row)}`,
  }));
  const labelColumns = widest(cells.map((cell) => cell.label));
  const stateColumns = widest(cells.map((cell) => cell.state));
  const room = wide - (2 + labelColumns + 2 + stateColumns + 2) - 1;
  const barColumns = Math.min(BAR_COLUMNS_MAX, room - widest(cells.map((cell) => cell.tail)));
  for (const { row, label, state, tail } of cells) {
    const head = `  ${padTo(label, labelColumns)}  ${palette.cyan(padTo(state, stateColumns))}  `;
    const bar = barColumns < BAR_COLUMNS_MIN ? "" : `${barOf(row, barColumns, palette)} `;
    lines.push(cutText(`${head}${bar}${tail}`, wide));
  }
  const hidden = facts.rows.length - shown.length;
  if (hidden > 0) lines.push(palette.dim(cutText(`  and ${formatCount(hidden)} more`, wide)));
  return lines;
}

/** Title, amount, speed, time left and elapsed time: as many of them as fit. */
function headLine(facts: ProgressFacts, columns: number): string {
  const elapsed = `${formatDuration(facts.elapsedMs)} so far`;
  const parts = [amountOf(facts), speed(facts), left(facts), elapsed].filter((part) => part !== "");
  let line = facts.title;
  for (const [index, part] of parts.entries()) {
    const longer = `${line}${index === 0 ? "  " : " · "}${part}`;
    if (Bun.stringWidth(longer) > columns) break;
    line = longer;
  }
  return cutText(line, columns);
}

function widest(texts: readonly string[]): number {
  return Math.max(...texts.map((text) => Bun.stringWidth(text)), 0);
}

/** When not all fit: those that are not finished first, in their order. */
function visibleRows(rows: readonly ProgressRow[], most: number): readonly ProgressRow[] {
  if (rows.length <= most) return rows;
  const open = rows.filter((row) => row.total === 0 || row.done < row.total);
  const finished = rows.filter((row) => row.total > 0 && row.done >= row.total);
  return [...open, ...finished].slice(0, most);
}

/** Blank where the total is not known. */
function barOf(row: ProgressRow, columns: number, palette: Palette): string {
  if (row.total === 0) return " ".repeat(columns);
  const filled = Math.min(columns, Math.floor((row.done / row.total) * columns));
  return `${palette.green("█".repeat(filled))}${palette.dim("░".repeat(columns - filled))}`;
}

function padTo(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - Bun.stringWidth(text)));
}

function amountOf(row: Pick<ProgressRow, "done" | "total" | "unit">): string {
  const format = row.unit === "bytes" ? formatBytes : formatCount;
  const unit = row.unit === "bytes" ? "" : " slots";
  if (row.total === 0) return `${format(row.done)}${unit}`;
  return `${format(row.done)} of ${format(row.total)}${unit}`;
}

function speed(facts: ProgressFacts): string {
  if (facts.perSecond <= 0) return "";
  return facts.unit === "bytes"
    ? `${formatBytes(facts.perSecond)}/s`
    : `${formatRough(facts.perSecond)} slots/s`;
}

function left(facts: ProgressFacts): string {
  if (facts.leftMs === null || facts.done >= facts.total) return "";
  return `${formatDuration(facts.leftMs)} left`;
}
