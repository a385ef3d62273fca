// Decides once per stream whether it shows colour. picocolors and clack would each decide for themselves, and differ:
// so the answer is taken here and handed on.

import type { Palette } from "./surface.ts";
import { createColors } from "./terminal.ts";

/** What the decision rests on. */
export interface ColorFacts {
  /** `--color`. */
  readonly choice: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isTerminal: boolean;
}

/** `--color` first, then NO_COLOR, FORCE_COLOR (but not `0`), TERM=dumb, and last whether the stream is a terminal. */
export function showsColor(facts: ColorFacts): boolean {
  if (facts.choice === "always") return true;
  if (facts.choice === "never") return false;
  const { NO_COLOR, FORCE_COLOR, TERM } = facts.env;
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "") return FORCE_COLOR !== "0";
  return facts.isTerminal && TERM !== "dumb";
}

/** The colours of a stream; without colour every function returns its text unchanged. */
export function createPalette(enabled: boolean): Palette {
  const colors = createColors(enabled);
  return {
    bold: (text) => colors.bold(text),
    dim: (text) => colors.dim(text),
    red: (text) => colors.red(text),
    green: (text) => colors.green(text),
    yellow: (text) => colors.yellow(text),
    cyan: (text) => colors.cyan(text),
  };
}
