// stdout for commands. Text of a burst goes out in one write; a terminal gets each line at once. Never throws: a reader
// that went away sets `closed`, any other failure (a full disk behind `>`) is kept for the end of the command.

import type { Output, Palette } from "./surface.ts";
import type { Display } from "./display.ts";
import { defuse, escapeJson } from "./escape.ts";
import type { Sink } from "./streams.ts";

const BUFFER_CHARS_MAX = 64 * 1024;

/** An Output that must be flushed before the process ends. */
export interface FlushedOutput extends Output {
  flush(): void;
  /** The errno of a write that failed for another reason than a closed pipe. */
  readonly failure: string | null;
}

/** What an Output stands on. */
export interface OutputOptions {
  readonly sink: Sink;
  readonly palette: Palette;
  /** True when the palette writes colour sequences: only then may any pass. */
  readonly styled: boolean;
  /** Steps aside while a line is written to the terminal it is drawn on. */
  readonly display: Display | null;
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
  #buffer: string[] = [];
  #bufferedChars = 0;
  #closed = false;
  #failure: string | null = null;

  constructor(options: OutputOptions) {
    this.#sink = options.sink;
    this.palette = options.palette;
    this.isTerminal = options.sink.isTerminal;
    this.#styled = options.styled;
    this.#display = options.display;
  }

  get columns(): number {
    return this.#sink.columns();
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
    this.#display?.hide();
    const errno = this.#sink.write(text);
    this.#display?.show();
    if (errno === null) return;
    this.#closed = true;
    if (errno !== "EPIPE") this.#failure = errno;
  }

  #add(text: string): void {
    if (this.#closed) return;
    if (this.#bufferedChars === 0 && !this.isTerminal) queueMicrotask(() => this.flush());
    this.#buffer.push(text, "\n");
    this.#bufferedChars += text.length + 1;
    if (this.isTerminal || this.#bufferedChars >= BUFFER_CHARS_MAX) this.flush();
  }
}
