// A few lines at the bottom of a terminal that are redrawn in place. Everything else that is written to the terminal
// hides them first and shows them again. The only place that moves the cursor.

import type { Sink } from "./streams.ts";

const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";
const ERASE_BELOW = "\x1b[J";

export interface Display {
  /** Replaces the drawn lines. No line may be wider than the terminal. */
  draw(lines: readonly string[]): void;
  /** Takes the lines off the screen until `show`. */
  hide(): void;
  show(): void;
  /** Removes the lines for good and gives the cursor back. Also right before the process ends. */
  end(): void;
}

/** Gives the cursor back however the process came to its end. */
export function restoreCursor(sink: Sink): void {
  if (sink.isTerminal) sink.write(SHOW_CURSOR);
}

/** The display of a terminal; call it only for one. */
export function createDisplay(sink: Sink): Display {
  let lines: readonly string[] = [];
  let drawn = 0;
  const erase = () => {
    if (drawn > 0) sink.write(`\x1b[${drawn}A\r${ERASE_BELOW}`);
    drawn = 0;
  };
  const put = () => {
    if (lines.length === 0) return;
    const up = drawn > 0 ? `\x1b[${drawn}A\r` : "";
    sink.write(`${HIDE_CURSOR}${up}${ERASE_BELOW}${lines.join("\n")}\n`);
    drawn = lines.length;
  };
  return {
    draw(next) {
      lines = next;
      put();
    },
    hide: erase,
    show: put,
    end() {
      const wasShown = lines.length > 0;
      erase();
      lines = [];
      if (wasShown) sink.write(SHOW_CURSOR);
    },
  };
}
