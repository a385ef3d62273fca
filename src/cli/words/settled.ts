// How a command asks for its arguments and options, once they are settled. Asking for one that is not in its table is a bug.

import { assert } from "../../errors.ts";
import type { ResolvedOption } from "./precedence.ts";
import type { OptionSpec } from "./spec.ts";
import type { OptionValue } from "./values.ts";

/** Values of arguments and options after precedence (flag, environment, file, default) and checks. */
export interface ParsedArguments {
  /** The command has such an option. */
  has(name: string): boolean;
  /** It is `off`. */
  isOff(name: string): boolean;
  /** A positional argument, null when it is optional and absent. */
  argument(name: string): string | null;
  /** Somebody said it: it is not the default. */
  isGiven(option: string): boolean;
  flag(name: string): boolean;
  /** Text or choice; null when absent and without default. */
  text(name: string): string | null;
  texts(name: string): readonly string[];
  integer(name: string): number | null;
  /** Bytes, or bytes a second for a rate; null for `off` or absent. */
  bytes(name: string): number | null;
  /** ms; null for `off` or absent. */
  durationMs(name: string): number | null;
  /** Both ends included; null when absent. */
  range(name: string): { readonly first: number; readonly last: number } | null;
}

export function createParsedArguments(
  positionals: ReadonlyMap<string, string | null>,
  resolved: readonly ResolvedOption[],
): ParsedArguments {
  const find = (name: string): ResolvedOption => {
    const found = resolved.find((candidate) => candidate.option.name === name);
    assert(found !== undefined, `option --${name} is in no table`);
    return found;
  };
  const values = (name: string, ...kinds: OptionSpec["kind"][]): readonly OptionValue[] => {
    const found = find(name);
    assert(kinds.includes(found.option.kind), `option --${name} is a ${found.option.kind}`);
    return found.values;
  };
  const numberOf = (value: OptionValue | undefined) =>
    value?.kind === "number" ? value.number : null;
  const textsOf = (name: string) =>
    values(name, "text", "choice").flatMap((value) => (value.kind === "text" ? [value.text] : []));
  return {
    has: (name) => resolved.some(({ option }) => option.name === name),
    isOff: (name) => values(name, "rate", "duration", "integer", "text")[0]?.kind === "off",
    argument(name) {
      assert(positionals.has(name), `argument ${name} is in no table`);
      return positionals.get(name) ?? null;
    },
    isGiven: (name) => find(name).source.kind !== "default",
    flag(name) {
      const value = values(name, "flag")[0];
      return value?.kind === "flag" && value.on;
    },
    text: (name) => textsOf(name)[0] ?? null,
    texts: textsOf,
    integer: (name) => numberOf(values(name, "integer")[0]),
    bytes: (name) => numberOf(values(name, "size", "rate")[0]),
    durationMs: (name) => numberOf(values(name, "duration")[0]),
    range(name) {
      const value = values(name, "range")[0];
      return value?.kind === "range" ? value.range : null;
    },
  };
}
