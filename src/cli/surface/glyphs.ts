// The few signs that are not ASCII: for a terminal that takes UTF-8, and what stands in their place elsewhere.

type Environment = Readonly<Record<string, string | undefined>>;

export interface Glyphs {
  /** Of a bar: what is done, and what is not. */
  readonly done: string;
  readonly rest: string;
  /** Divides the parts of a line. */
  readonly dot: string;
  /** At the end of what was cut. */
  readonly cut: string;
}

const UNICODE: Glyphs = { done: "█", rest: "░", dot: "·", cut: "…" };
const ASCII: Glyphs = { done: "#", rest: ".", dot: "|", cut: "~" };

/** Terminals that take bytes, whatever the locale says. */
const BYTE_TERMINALS = /^(dumb|vt\d+)\b/;

/** By the locale, as the C library finds it: the first of three variables that is set. */
export function glyphsOf({ LC_ALL, LC_CTYPE, LANG, TERM }: Environment): Glyphs {
  const locale = LC_ALL || LC_CTYPE || LANG || "C";
  return /utf-?8/i.test(locale) && !BYTE_TERMINALS.test(TERM ?? "") ? UNICODE : ASCII;
}
