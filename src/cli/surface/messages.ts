// stderr for commands: levels, progress, questions, and the last words of a failed command. Text for people or, under
// --log-format json, one object a line. Off a terminal each line of text begins with its time, but not in the journal, which
// stamps lines itself. Never a key's value: commands do not pass them here.

import type { Messages, Palette, Progress, Telling } from "./surface.ts";
import type { Display } from "./display.ts";
import { defuse, escapeJson } from "./escape.ts";
import type { Glyphs } from "./glyphs.ts";
import { formatStamp } from "./numbers.ts";
import { createProgress } from "./progress.ts";
import type { Pace } from "./schedule.ts";
import type { Sink } from "./streams.ts";
import { createTelling } from "./telling.ts";

export type Level = "debug" | "info" | "warn" | "error";

/** What the messages of one run stand on. */
export interface MessagesOptions {
  readonly sink: Sink;
  readonly palette: Palette;
  readonly styled: boolean;
  readonly display: Display | null;
  readonly level: Level;
  readonly format: "text" | "json";
  /** True when scripts read stderr too: progress then comes as objects off a terminal. */
  readonly json: boolean;
  /** True when the journal reads stderr: lines begin with `<4>`. */
  readonly journal: boolean;
  readonly glyphs: Glyphs;
  /** `--progress`. */
  readonly pace: Pace;
  readonly confirm: ((question: string) => Promise<boolean>) | null;
  nowMs(): number;
  wallMs(): number;
}

/** Messages, and what run.ts writes besides. */
export interface ProcessMessages extends Messages {
  readonly format: "text" | "json";
  /** One of the several lines of an error, without a word in front. */
  raw(text: string): void;
  /** A line of a page that is no message, as help: never with a time. */
  page(text: string): void;
  /** One object on stderr. */
  object(document: unknown): void;
  /** What tells the reader of stderr that so many lines before were dropped. */
  droppedNotice(lines: number): string;
}

const LEVELS: readonly Level[] = ["debug", "info", "warn", "error"];
/** syslog's numbers. */
const JOURNAL_LEVEL: Readonly<Record<Level, number>> = { debug: 7, info: 6, warn: 4, error: 3 };

export function createMessages(options: MessagesOptions): ProcessMessages {
  return new SinkMessages(options);
}

class SinkMessages implements ProcessMessages {
  readonly isTerminal: boolean;
  readonly palette: Palette;
  readonly confirm: ((question: string) => Promise<boolean>) | null;
  readonly #options: MessagesOptions;

  constructor(options: MessagesOptions) {
    this.#options = options;
    this.isTerminal = options.sink.isTerminal;
    this.palette = options.palette;
    this.confirm = options.confirm;
  }

  get columns(): number {
    return this.#options.sink.columns();
  }

  get format(): "text" | "json" {
    return this.#options.format;
  }

  debug(text: string): void {
    this.#say("debug", text, this.palette.dim(text));
  }

  info(text: string): void {
    this.#say("info", text, text);
  }

  warn(text: string): void {
    this.#say("warn", text, `${this.palette.yellow("warning:")} ${text}`);
  }

  error(text: string): void {
    this.#say("error", text, `${this.palette.red("error:")} ${text}`);
  }

  progress(title: string): Progress {
    return createProgress(title, this.telling(), () => this.#options.nowMs());
  }

  telling(): Telling {
    const { sink, display, palette, glyphs, format, json, level, pace } = this.#options;
    const isQuiet = LEVELS.indexOf("info") < LEVELS.indexOf(level);
    const asObjects = format === "json" || (json && !sink.isTerminal);
    return createTelling({
      ...{ palette, glyphs, pace: isQuiet ? "off" : pace },
      display: format === "json" ? null : display,
      columns: () => sink.columns(),
      rows: () => sink.rows(),
      nowMs: () => this.#options.nowMs(),
      line: (text) => this.info(text),
      object: asObjects ? (document) => this.object(document) : null,
    });
  }

  raw(text: string): void {
    this.#write(this.#textLine(text));
  }

  page(text: string): void {
    this.#write(`${defuse(text, this.#options.styled)}\n`);
  }

  object(document: unknown): void {
    this.#write(`${escapeJson(JSON.stringify(document))}\n`);
  }

  droppedNotice(lines: number): string {
    const text = `${lines} ${lines === 1 ? "line was" : "lines were"} dropped, because nobody read them`;
    return this.#formatted("warn", text, `${this.palette.yellow("warning:")} ${text}`);
  }

  #say(level: Level, plain: string, shown: string): void {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(this.#options.level)) return;
    this.#write(this.#formatted(level, plain, shown));
  }

  #formatted(level: Level, message: string, shown: string): string {
    const { format, journal, wallMs } = this.#options;
    if (format === "json") {
      const document = { schema: 1, type: "log", ms: wallMs(), level, message };
      return `${escapeJson(JSON.stringify(document))}\n`;
    }
    const prefix = journal ? `<${JOURNAL_LEVEL[level]}>` : "";
    return this.#textLine(`${prefix}${shown}`);
  }

  /** With the time in front where nobody else tells it. */
  #textLine(text: string): string {
    const { styled, journal, sink, wallMs } = this.#options;
    const lines = defuse(text, styled);
    if (sink.isTerminal || journal) return `${lines}\n`;
    const time = formatStamp(wallMs());
    return `${time} ${lines.replaceAll("\n", `\n${time} `)}\n`;
  }

  /** A stderr that is gone or full is no reason to fail: there is nobody to tell. */
  #write(text: string): void {
    const { display, sink } = this.#options;
    if (display === null) sink.write(text);
    else display.around(text, sink);
  }
}
