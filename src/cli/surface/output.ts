// stdout for commands. Text of a burst goes out in one write; a terminal gets each line at once. Never throws: a reader
// that went away sets `closed`, any other failure (a full disk behind `>`) is kept for the end of the command.

import type { Drawing, Output, Palette } from "./surface.ts";
import { createDisplay, type Display, type WatchTerminal } from "./display.ts";
import { defuse, escapeJson } from "./escape.ts";
import type { Sink } from "./streams.ts";

const BUFFER_CHARS_MAX = 64 * 1024;

/** An Output that must be flushed before the process ends. */
export interface FlushedOutput extends Output {
  flush(): void;
  /** Takes off what is drawn in place. */
  endDrawing(): void;
  /** The sink says that nobody reads any more, or that it can take no more. */
  ended(errno: string): void;
  /** The errno of a write that failed for another reason than a closed pipe. */
  readonly failure: string | null;
}

/** What an Output stands on. */
export interface OutputOptions {
  readonly sink: Sink;
  readonly palette: Palette;
  /** True when the palette writes colour sequences: only then may any pass. */
  readonly styled: boolean;
  /** Of the terminal to which lines go: they are written above what is drawn there. */
  readonly display: Display | null;
  readonly watchTerminal: WatchTerminal;
}

export function createOutput(options: OutputOptions): FlushedOutput {
  return new SinkOutput(options);
}

class SinkOutput implements FlushedOutput {
  readonly palette: Palette;
  readonly isTerminal: boolean;
  readonly #sink: Sink;
  readonly #styled: boolean;
  readonly #display: Display | null;
  readonly #watchTerminal: WatchTerminal;
  #drawing: Drawing | null = null;
  #buffer: string[] = [];
  #bufferedChars = 0;
  #closed = false;
  #failure: string | null = null;
  readonly #whenClosed: (() => void)[] = [];

  constructor(options: OutputOptions) {
    this.#sink = options.sink;
    this.palette = options.palette;
    this.isTerminal = options.sink.isTerminal;
    this.#styled = options.styled;
    this.#display = options.display;
    this.#watchTerminal = options.watchTerminal;
  }

  get columns(): number {
    return this.#sink.columns();
  }

  get rows(): number {
    return this.#sink.rows();
  }

  drawing(): Drawing {
    this.#drawing ??= createDisplay(this.#sink, this.#watchTerminal);
    return this.#drawing;
  }

  endDrawing(): void {
    this.#drawing?.end();
  }

  get closed(): boolean {
    return this.#closed;
  }

  get failure(): string | null {
    return this.#failure;
  }

  line(text: string): void {
    this.#add(defuse(text, this.#styled));
  }

  json(document: unknown): void {
    const text = JSON.stringify(document, (_key, value: unknown) =>
      typeof value === "bigint" ? value.toString() : value,
    );
    this.#add(escapeJson(text));
  }

  flush(): void {
    if (this.#bufferedChars === 0) return;
    const text = this.#buffer.join("");
    this.#buffer = [];
    this.#bufferedChars = 0;
    if (this.#closed) return;
    const display = this.#display;
    const errno = display === null ? this.#sink.write(text) : display.around(text, this.#sink);
    if (errno !== null) this.ended(errno);
  }

  ended(errno: string): void {
    if (this.#closed) return;
    this.#closed = true;
    if (errno !== "EPIPE") this.#failure = errno;
    for (const run of this.#whenClosed) run();
  }

  whenClosed(run: () => void): void {
    this.#whenClosed.push(run);
  }

  #add(text: string): void {
    if (this.#closed) return;
    if (this.#bufferedChars === 0 && !this.isTerminal) queueMicrotask(() => this.flush());
    this.#buffer.push(text, "\n");
    this.#bufferedChars += text.length + 1;
    if (this.isTerminal || this.#bufferedChars >= BUFFER_CHARS_MAX) this.flush();
  }
}
