// A few lines at the bottom of a terminal that are redrawn in place. Everything else that is written to the terminal
// hides them first and shows them again. The only place that moves the cursor.

import type { Sink } from "./streams.ts";
import type { Drawing } from "./surface.ts";

const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";
const ERASE_BELOW = "\x1b[J";

export interface Display extends Drawing {
  /** Takes the lines off the screen until `show`. */
  hide(): void;
  show(): void;
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
    // What a reader that is behind would see later is not the picture of then.
    if (lines.length === 0 || sink.isBehind) return;
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
