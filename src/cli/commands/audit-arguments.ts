// Arguments and options that the commands over a directory share. Used by inspect, verify and verify-cursor.

import { shellWord } from "../../shell-words.ts";
import { ArmdbError } from "../../errors.ts";
import type { Context } from "../command.ts";
import type { ProgressRow } from "../surface/surface.ts";
import type { OptionSpec } from "../words/spec.ts";
import type { VerifyProgress } from "../../audit/verify.ts";
import { type ByteFormat, byteFormat } from "../render/bytes.ts";

type Arguments = Pick<Context, "args">;

/** A positional argument that the table calls required. */
export function requiredArgument({ args }: Arguments, name: string): string {
  const value = args.argument(name);
  if (value !== null) return value;
  throw new ArmdbError("usage", `${name} is missing`, { hint: "armdb help" });
}

/** A shard or slot number given as an argument; null when it is absent. */
export function numberArgument({ args }: Arguments, name: string): number | null {
  const text = args.argument(name);
  if (text === null) return null;
  const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new ArmdbError("usage", `${name} is not a number: ${JSON.stringify(text)}`, {
    hint: "shards and slots are counted from 0",
  });
}

/** As `numberArgument`, for one that is required. */
export function requiredNumber(context: Arguments, name: string): number {
  requiredArgument(context, name);
  return numberArgument(context, name) ?? 0;
}

/** The error with `DIR` in its hint, which may come from where no name is known, replaced by the directory that was given. */
export function namingDirectory(thrown: unknown, dir: string): unknown {
  if (!(thrown instanceof ArmdbError)) return thrown;
  const { hint } = thrown.details;
  if (hint === undefined || !/\bDIR\b/.test(hint)) return thrown;
  const named = hint.replaceAll(/\bDIR\b/g, () => shellWord(dir));
  return new ArmdbError(thrown.code, thrown.message, {
    ...thrown.details,
    hint: named,
    cause: thrown,
  });
}

/** How keys and values are shown (cli.md: inspect). */
export const FORMAT_OPTION: OptionSpec = {
  name: "format",
  kind: "choice",
  value: "FORMAT",
  choices: ["auto", "hex", "text", "redacted"],
  default: "auto",
  summary: "keys and values as text where they are text, as hex, as text, or values not at all",
};

export function formatOf({ args }: Arguments): ByteFormat {
  return byteFormat(args.text("format"));
}

/** A row of the display for one shard. */
export function progressRow(progress: VerifyProgress): ProgressRow {
  const { shard, bytesDone, bytes, part, parts } = progress;
  const state = stateOf(progress);
  const how = { part, parts: Math.max(1, parts) };
  return { label: `shard ${shard}`, state, done: bytesDone, total: bytes, unit: "bytes", ...how };
}

function stateOf({ bytesDone, bytes, part, partNumber, parts }: VerifyProgress): string {
  if (bytesDone >= bytes) return "read";
  if (bytesDone === 0) return "waiting";
  return part === "again"
    ? `reading again for doubled keys, part ${partNumber} of ${parts}`
    : "reading";
}
