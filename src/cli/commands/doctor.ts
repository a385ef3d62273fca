// `armdb doctor [LEADER] [--data DIR]`: everything that would stop or slow a follower, before a byte is written.

import type { Command, Context } from "../command.ts";
import type { Palette } from "../surface/surface.ts";
import type { CommandSpec } from "../words/spec.ts";
import { type Check, type CheckResult, exitStatusOf, verdictOf } from "../doctor/check.ts";
import { examine } from "../doctor/examine.ts";
import { escapeText } from "../surface/escape.ts";
import { wrapText } from "../surface/tables.ts";

const spec: CommandSpec = {
  name: "doctor",
  summary: "what would stop or slow a follower, before a byte is written",
  description:
    "Each line is ok, warn or FAIL, with the remedy. The leader is asked with one connection that takes nobody's live stream; but even this one makes a leader before 0.7.0 start to keep events for a follower, so follow it soon after. Nothing is written and no lock is taken.",
  arguments: [{ name: "LEADER", required: false, summary: "the leader to ask, host:port" }],
  options: [
    {
      name: "data",
      kind: "text",
      value: "DIR",
      complete: "directory",
      summary: "the directory of the replica, there or not",
    },
  ],
  examples: [
    { command: "armdb doctor db.example:7400 --data /srv/db", explains: "all of it" },
    { command: "armdb doctor --data /srv/db", explains: "this machine and the directory" },
    {
      command: "armdb doctor --data /srv/db --json | jq '.checks[] | select(.result != \"ok\")'",
      explains: "what is left to do",
    },
  ],
  exits: [
    [0, "ok or warnings only"],
    [3, "damage in DIR"],
    [10, "DIR holds other things"],
    [11, "DIR is in use"],
    [12, "leader unreachable"],
    [13, "not a leader, or another format"],
    [14, "no space"],
    [15, "DIR cannot be written"],
  ],
  next: ["armdb replicate LEADER --data DIR"],
};

export const doctorCommand: Command = {
  spec,
  async run(context) {
    const { args, out, messages, disk, net, clock, stop, json } = context;
    const leader = args.argument("LEADER");
    const data = args.text("data");
    if (leader !== null) messages.info(`asking ${escapeText(leader)} (at most 10 s) ...`);
    const checks = await examine({ leader, data, disk, net, clock, stop });
    if (json) out.json({ schema: 1, command: "doctor", verdict: verdictOf(checks), checks });
    else showChecks(checks, context.out);
    if (leader === null && data === null) {
      messages.info("armdb doctor LEADER --data DIR looks at the leader and the directory too");
    }
    return exitStatusOf(checks);
  },
};

const LABELS: Readonly<Record<CheckResult, string>> = { ok: "ok", warn: "warn", fail: "FAIL" };

/** One line a check, its remedy below it, and the verdict at the end. */
export function checkLines(checks: readonly Check[], columns: number, palette: Palette): string[] {
  const nameColumns = Math.max(...checks.map((check) => check.name.length), 0);
  const indent = " ".repeat(6 + nameColumns + 2);
  const lines: string[] = [];
  for (const check of checks) {
    const label = styleOf(check.result, palette)(LABELS[check.result].padEnd(6));
    const wrapped = wrapText(escapeText(check.message), columns, indent);
    const first = (wrapped[0] ?? "").trimStart();
    lines.push(`${label}${check.name.padEnd(nameColumns)}  ${first}`, ...wrapped.slice(1));
    if (check.hint !== undefined) {
      const hint = wrapText(`Try: ${escapeText(check.hint)}`, columns, indent);
      lines.push(...hint.map((line) => palette.cyan(line)));
    }
  }
  return lines;
}

function showChecks(checks: readonly Check[], out: Context["out"]): void {
  for (const line of checkLines(checks, out.columns, out.palette)) out.line(line);
  const count = (result: CheckResult) => checks.filter((check) => check.result === result).length;
  const verdict = verdictOf(checks);
  const counts = `${count("ok")} ok, ${count("warn")} to look at, ${count("fail")} in the way`;
  out.line("");
  out.line(`${styleOf(verdict, out.palette)(LABELS[verdict])}: ${counts}`);
}

function styleOf(result: CheckResult, palette: Palette): (text: string) => string {
  if (result === "ok") return palette.green;
  return result === "warn" ? palette.yellow : palette.red;
}
