// `--progress`, `--limit-rate` and `--timeout`, the same in every command that works long.

import { ArmdbError } from "../../errors.ts";
import type { Pace } from "../surface/schedule.ts";
import type { ParsedArguments } from "./settled.ts";
import type { OptionSpec } from "./spec.ts";

export const PROGRESS_OPTION: OptionSpec = {
  name: "progress",
  kind: "duration",
  value: "TIME",
  offAllowed: true,
  summary:
    "off a terminal: tell how far it is this often, or off; not given: after 5, 10, 20, 40, 60 s, then each minute (with --json each 5 s)",
};

/** `--limit-rate`, the same in every command that reads a database. */
export const LIMIT_RATE_OPTION: OptionSpec = {
  name: "limit-rate",
  kind: "rate",
  value: "RATE",
  summary: "read at most so many bytes a second (`50MiB`), of all files and threads together",
};

/** `--timeout` where a leader is scanned once. */
export const LEADER_TIMEOUT_OPTION: OptionSpec = {
  name: "timeout",
  kind: "duration",
  value: "TIME",
  summary:
    "give up with 12 when a leader's scan makes no progress for this long; not given: 60 s and more for a large shard",
};

/** What it says. Throws `usage` for a time that is none. */
export function paceOf(args: Pick<ParsedArguments, "durationMs" | "isOff">): Pace {
  if (args.isOff("progress")) return "off";
  const everyMs = args.durationMs("progress");
  if (everyMs === null) return null;
  if (everyMs > 0) return { everyMs };
  throw new ArmdbError("usage", 'Invalid --progress "0": expected a time above 0, or off', {
    hint: "--progress 5s",
  });
}
