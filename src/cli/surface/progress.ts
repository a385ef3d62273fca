// How far long work has come, for commands that go over shards: a row with a bar for each, one line or object for all. Rate and time
// left are worked out from successive updates.

import type { Progress, ProgressRow, Screen, Telling } from "./surface.ts";
import { escapeText } from "./escape.ts";
import { formatBytes, formatCount, formatDuration, formatRough, formatShare } from "./numbers.ts";
import { RateMeter } from "./rate.ts";

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

export function createProgress(title: string, telling: Telling, nowMs: () => number): Progress {
  return new RunningProgress(title, telling, nowMs);
}

class RunningProgress implements Progress {
  readonly #title: string;
  readonly #telling: Telling;
  readonly #nowMs: () => number;
  readonly #startMs: number;
  readonly #meter = new RateMeter();
  #stopped = false;

  constructor(title: string, telling: Telling, nowMs: () => number) {
    this.#title = escapeText(title);
    this.#telling = telling;
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
  }

  update(rows: readonly ProgressRow[]): void {
    if (this.#stopped) return;
    const nowMs = this.#nowMs();
    const done = rows.reduce((sum, row) => sum + row.done, 0);
    this.#meter.add(nowMs, done);
    if (!this.#telling.isDue()) return;
    const facts = this.#factsOf(rows, done, nowMs);
    this.#telling.tell({
      line: () => progressLine(facts),
      object: () => progressObject(facts),
      screen: () => progressScreen(facts),
    });
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#telling.end();
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
}

/** `verify: 45 %, 12,345 of 27,000 slots, 1.2 M slots/s, 34 s left; 3 reading, 1 read`. */
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
      ...(row.part === undefined ? {} : { part: row.part, parts: row.parts ?? 1 }),
    })),
  };
}

/** The same for a terminal: what is not finished goes first where not all rows fit. */
export function progressScreen(facts: ProgressFacts): Screen {
  const elapsed = `${formatDuration(facts.elapsedMs)} so far`;
  return {
    title: facts.title,
    parts: [amountOf(facts), speed(facts), left(facts), elapsed],
    rows: facts.rows.map((row) => ({
      label: escapeText(row.label),
      state: escapeText(row.state),
      colour: "cyan",
      share: row.total === 0 ? null : row.done / row.total,
      text: amountOf(row),
      rank: row.total > 0 && row.done >= row.total ? 1 : 0,
    })),
  };
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
