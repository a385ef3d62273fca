// A terminal's screen as far as our programs draw on it: what stands where after text, newlines, the few sequences that display.ts
// writes, and keys that are echoed. Anything else that it is sent is an error.

export class Screen {
  readonly columns: number;
  readonly rows: number;
  /** Lines that scrolled off the top. */
  readonly scrolled: string[] = [];
  cursorShows = true;
  #lines: string[][];
  #row = 0;
  #column = 0;
  #kept = { row: 0, column: 0 };

  constructor(columns = 80, rows = 24) {
    this.columns = columns;
    this.rows = rows;
    this.#lines = Array.from({ length: rows }, () => []);
  }

  /** All lines, as they can be read, without what is empty at the end. */
  get text(): string {
    return this.#lines
      .map((line) =>
        Array.from(line, (sign) => sign ?? " ")
          .join("")
          .trimEnd(),
      )
      .join("\n")
      .trimEnd();
  }

  /** The line on which the cursor stands. */
  get row(): number {
    return this.#row;
  }

  /** Keys as a terminal echoes them. */
  type(keys: string): void {
    this.write(keys.replaceAll("\n", "\r\n"));
  }

  /** Takes what a program writes. */
  write(text: string): void {
    // biome-ignore lint: control characters are what is looked for
    for (const [piece, final] of text.matchAll(/\x1b\[[?0-9;]*([a-zA-Z])|\x1b[78]|[\s\S]/gu)) {
      if (piece.startsWith("\x1b[")) this.#sequence(piece, final ?? "");
      else if (piece === "\x1b7") this.#kept = { row: this.#row, column: this.#column };
      else if (piece === "\x1b8") [this.#row, this.#column] = [this.#kept.row, this.#kept.column];
      else if (piece === "\r") this.#column = 0;
      else if (piece === "\n") this.#newline();
      else this.#put(piece);
    }
  }

  #sequence(piece: string, final: string): void {
    const line = this.#lines[this.#row] as string[];
    const count = Number(/\d+/.exec(piece)?.[0] ?? 1);
    if (piece === "\x1b[?25l") this.cursorShows = false;
    else if (piece === "\x1b[?25h") this.cursorShows = true;
    else if (final === "A") this.#row = Math.max(0, this.#row - count);
    else if (piece === "\x1b[K") line.length = Math.min(line.length, this.#column);
    else if (piece === "\x1b[J") {
      line.length = Math.min(line.length, this.#column);
      for (const below of this.#lines.slice(this.#row + 1)) below.length = 0;
    } else if (final !== "m") throw new Error(`a sequence that is not known: ${piece.slice(1)}`);
  }

  #newline(): void {
    // As the terminal's driver does.
    this.#column = 0;
    if (this.#row < this.rows - 1) {
      this.#row++;
      return;
    }
    this.scrolled.push((this.#lines[0] as string[]).join(""));
    this.#lines = [...this.#lines.slice(1), []];
  }

  #put(sign: string): void {
    if (this.#column === this.columns) this.#newline();
    const line = this.#lines[this.#row] as string[];
    line[this.#column] = sign;
    this.#column += Bun.stringWidth(sign);
  }
}
