// What an Output and Messages of a test answer that are not about that: no terminal, and a reader that stays.

import type { Messages, Output } from "../../src/cli/surface/surface.ts";

export const plainOutput: Pick<Output, "rows" | "drawing" | "whenClosed"> = {
  rows: 24,
  drawing: () => {
    throw new Error("nothing is drawn off a terminal");
  },
  whenClosed: () => {},
};

/** And of the Messages of a test: progress that nobody looks at. */
export const plainMessages: Pick<Messages, "isTerminal" | "progress" | "telling"> = {
  isTerminal: false,
  progress: () => ({ update: () => {}, stop: () => {} }),
  telling: () => ({
    isDrawn: false,
    begin: () => {},
    isDue: () => false,
    tell: () => {},
    end: () => {},
  }),
};
