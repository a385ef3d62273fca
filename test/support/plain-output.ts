// What an Output of a test answers that is not about what it holds: no terminal, and a reader that stays.

import type { Output } from "../../src/cli/surface/surface.ts";

export const plainOutput: Pick<Output, "rows" | "drawing" | "whenClosed"> = {
  rows: 24,
  drawing: () => {
    throw new Error("nothing is drawn off a terminal");
  },
  whenClosed: () => {},
};
