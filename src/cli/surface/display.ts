// A few lines at the bottom of a terminal that are redrawn in place. Everything else that is written to the terminal goes
// through `around`, which puts it above them. The only place that moves the cursor.
//
// Between two drawings the cursor stands at the first of the lines, at a position that the terminal keeps (DECSC): so keys that
// are echoed, Enter too, are written over by the next drawing. Where the terminal was changed (a new size, a shell that had it
// in between), the kept position is worth nothing: the lines are drawn anew from where the cursor stands.

import type { Sink } from "./streams.ts";
import type { Drawing } from "./surface.ts";

const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";
const ERASE_BELOW = "\x1b[J";
const ERASE_TO_END_OF_LINE = "\x1b[K";
const KEEP_POSITION = "\x1b7";
const GO_TO_POSITION = "\x1b8";

/** What befalls the terminal while lines are on it. */
export interface TerminalEvents {
  /** It has another size, or the program has it back. */
  changed(): void;
  /** The program is about to be stopped: a shell writes next. */
  suspends(): void;
}

/** Begins to tell of them; returns what ends that. */
export type WatchTerminal = (events: TerminalEvents) => () => void;

export interface Display extends Drawing {
  /** Writes text above the lines. Returns what the sink does. */
  around(text: string, sink: Sink): string | null;
}

/** Gives the cursor back however the process came to its end. */
export function restoreCursor(sink: Sink): void {
  if (sink.isTerminal) sink.write(`\r${ERASE_BELOW}${SHOW_CURSOR}`);
}

/** The display of a terminal; call it only for one. */
export function createDisplay(sink: Sink, watch: WatchTerminal): Display {
  return new TerminalDisplay(sink, watch);
}

class TerminalDisplay implements Display {
  readonly #sink: Sink;
  readonly #watch: WatchTerminal;
  #make: (() => readonly string[]) | null = null;
  /** Lines that are on the screen. */
  #drawn = 0;
  #isMoved = false;
  #unwatch: (() => void) | null = null;

  constructor(sink: Sink, watch: WatchTerminal) {
    this.#sink = sink;
    this.#watch = watch;
  }

  draw(make: () => readonly string[]): void {
    this.#make = make;
    this.#unwatch ??= this.#watch({
      changed: () => {
        this.#isMoved = true;
        this.#put();
      },
      suspends: () => void this.#sink.write(`${this.#erased()}${SHOW_CURSOR}`),
    });
    this.#put();
  }

  around(text: string, sink: Sink): string | null {
    if (this.#drawn === 0 && this.#make === null) return sink.write(text);
    if (sink === this.#sink && !sink.isBehind) {
      return sink.write(`${this.#erased()}${text}${this.#lines()}`);
    }
    this.#sink.write(this.#erased());
    const result = sink.write(text);
    this.#put();
    return result;
  }

  end(): void {
    this.#unwatch?.();
    this.#unwatch = null;
    if (this.#make === null) return;
    this.#make = null;
    this.#sink.write(`${this.#erased()}${SHOW_CURSOR}`);
  }

  #put(): void {
    // What a reader that is behind would see later is not the picture of then.
    if (!this.#sink.isBehind) this.#sink.write(this.#lines());
  }

  /** What draws the lines as they are now, each written over what stands there: nothing blinks. */
  #lines(): string {
    const lines = this.#make?.() ?? [];
    if (lines.length === 0) return this.#erased();
    const hasRoom = !this.#isMoved && lines.length <= this.#drawn;
    const room = hasRoom ? "" : roomFor(lines.length);
    const text = `${HIDE_CURSOR}${this.#home()}${room}${lines.join(`${ERASE_TO_END_OF_LINE}\r\n`)}`;
    this.#drawn = lines.length;
    this.#isMoved = false;
    return `${text}${ERASE_BELOW}${GO_TO_POSITION}`;
  }

  #erased(): string {
    if (this.#drawn === 0) return "";
    const text = `${this.#home()}${ERASE_BELOW}`;
    this.#drawn = 0;
    this.#isMoved = false;
    return text;
  }

  /** To the first of the lines. */
  #home(): string {
    return this.#drawn === 0 || this.#isMoved ? "\r" : GO_TO_POSITION;
  }
}

/** Scrolls the terminal where so many lines do not fit below the cursor, and keeps the position of the first. */
function roomFor(lines: number): string {
  const below = lines - 1;
  const scrolled = below === 0 ? "" : `${"\r\n".repeat(below)}\x1b[${below}A`;
  return `${scrolled}${KEEP_POSITION}`;
}
