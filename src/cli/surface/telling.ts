// Where progress is told, and when (`--progress`): drawn in place on a terminal, a line for people elsewhere, an object where
// scripts read stderr. Used by messages.ts.

import type { Display } from "./display.ts";
import type { Glyphs } from "./glyphs.ts";
import { screenLines } from "./progress-screen.ts";
import { type Pace, Schedule } from "./schedule.ts";
import type { Palette, Telling, Told } from "./surface.ts";

const REDRAW_MS = 100;

export interface TellingOptions {
  /** Set on a terminal. */
  readonly display: Display | null;
  readonly palette: Palette;
  readonly glyphs: Glyphs;
  readonly pace: Pace;
  columns(): number;
  /** Lines of the terminal. */
  rows(): number;
  nowMs(): number;
  /** Off a terminal: a line for people. */
  line(text: string): void;
  /** Where scripts read stderr: an object; null where people do. */
  readonly object: ((document: unknown) => void) | null;
}

export function createTelling(options: TellingOptions): Telling {
  const { pace, display } = options;
  return display !== null && pace !== "off" ? drawn(options, display) : written(options);
}

function drawn(options: TellingOptions, display: Display): Telling {
  const { palette, glyphs, nowMs } = options;
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  return {
    isDrawn: true,
    begin: () => {},
    isDue() {
      const isDue = nowMs() - drawnAtMs >= REDRAW_MS;
      if (isDue) drawnAtMs = nowMs();
      return isDue;
    },
    tell(told) {
      const screen = told.screen();
      display.draw(() => {
        return screenLines(screen, {
          ...{ palette, glyphs, columns: options.columns(), rows: options.rows() },
        });
      });
    },
    end: () => display.end(),
  };
}

function written(options: TellingOptions): Telling {
  const { object, pace, nowMs } = options;
  const schedule = new Schedule(pace, object === null ? "lines" : "objects", nowMs());
  return {
    isDrawn: false,
    begin: () => schedule.begin(nowMs()),
    isDue: () => schedule.isDue(nowMs()),
    tell(told: Told) {
      if (object === null) options.line(told.line());
      else object(told.object());
    },
    end: () => {},
  };
}
