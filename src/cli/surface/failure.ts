// The last words of a command that failed: what, where, why and `Try:` for people, one object for scripts. What is not
// an ArmdbError is a bug of ours: it is said as one, and its stack shown only with --verbose.

import { ArmdbError, EXIT_STATUS } from "../../errors.ts";
import type { Palette } from "./surface.ts";
import { escapeText } from "./escape.ts";

/** How a failure is shown. */
export interface FailureStyle {
  readonly palette: Palette;
  readonly verbose: boolean;
}

/** A failure as ArmdbError: itself, or the explanation of a bug. */
export function explain(thrown: unknown): ArmdbError {
  if (thrown instanceof ArmdbError) return thrown;
  const what = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return new ArmdbError("unexpected", `This should not have happened: ${what}`, {
    hint: "the same command with --verbose shows where; please report it with armdb version --json",
    cause: thrown,
  });
}

/** The lines for people. */
export function failureLines(error: ArmdbError, style: FailureStyle): string[] {
  const { palette } = style;
  const lines = [`${palette.red("armdb:")} ${escapeText(error.message)}`];
  const place = placeOf(error);
  if (place !== "") lines.push(`  at ${place}`);
  if (error.details.hint !== undefined) {
    lines.push(`  ${palette.cyan("Try:")} ${escapeText(error.details.hint)}`);
  }
  if (style.verbose) lines.push(...stackLines(error).map((line) => palette.dim(line)));
  return lines;
}

/** The object for scripts (cli.md: Exit codes). */
export function failureObject(error: ArmdbError): Record<string, unknown> {
  const { hint, path, shard, slot, offset } = error.details;
  return {
    schema: 1,
    type: "error",
    code: error.code,
    exit: EXIT_STATUS[error.code],
    message: escapeText(error.message),
    ...(hint === undefined ? {} : { hint: escapeText(hint) }),
    ...(path === undefined ? {} : { path: escapeText(path) }),
    ...(shard === undefined ? {} : { shard }),
    ...(slot === undefined ? {} : { slot }),
    ...(offset === undefined ? {} : { offset: String(offset) }),
  };
}

function placeOf(error: ArmdbError): string {
  const { path, shard, slot, offset } = error.details;
  const parts: string[] = [];
  // Most messages name the path; it is not said twice.
  if (path !== undefined && !error.message.includes(path)) parts.push(escapeText(path));
  if (shard !== undefined) parts.push(`shard ${shard}`);
  if (slot !== undefined) parts.push(`slot ${slot}`);
  if (offset !== undefined) parts.push(`byte ${offset}`);
  return parts.join(", ");
}

function stackLines(error: ArmdbError): string[] {
  const { cause } = error.details;
  const lines = framesOf(error);
  if (cause instanceof Error) {
    lines.push(`caused by: ${escapeText(`${cause.name}: ${cause.message}`)}`, ...framesOf(cause));
  }
  return lines;
}

/** A stack without its message, which stands above: it may hold a peer's text with lines of its own. */
function framesOf(error: Error): string[] {
  const head = `${error.name}: ${error.message}`;
  const stack = error.stack ?? "";
  const frames = stack.startsWith(head) ? stack.slice(head.length) : stack;
  return frames
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .map((line) => escapeText(line));
}
