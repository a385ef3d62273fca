// `armdb verify-cursor DIR [SHARD]`: each cursor against its shard's data. Reads only.

import {
  type CursorReport,
  type CursorVerifyReport,
  verifyCursors,
} from "../../audit/cursor-verify.ts";
import { findingToJson } from "../../audit/finding-json.ts";
import { outcomeOf } from "../../audit/findings.ts";
import { type Command, type Context, stopStatus } from "../command.ts";
import type { Output } from "../surface/surface.ts";
import type { CommandSpec } from "../words/spec.ts";
import { escapeText } from "../surface/escape.ts";
import { formatCount } from "../surface/numbers.ts";
import { cursorDocument, renderCursor } from "../render/cursor.ts";
import { renderFindings, verdictWord } from "../render/findings.ts";
import { numberArgument, progressRow, requiredArgument } from "./audit-arguments.ts";

const spec: CommandSpec = {
  name: "verify-cursor",
  summary: "check each cursor against its shard's data",
  description:
    "A cursor is what a follower notes of its progress. It decides nothing: every connect is a full scan. A cursor behind its data is normal, as the crate saves it only every 1000 events; one that is ahead of its data shows that data was lost or put back.",
  arguments: [
    { name: "DIR", required: true, summary: "a database directory", complete: "directory" },
    { name: "SHARD", required: false, summary: "only this shard" },
  ],
  options: [],
  examples: [
    { command: "armdb verify-cursor /var/lib/app/replica", explains: "every shard" },
    { command: "armdb verify-cursor replica 3", explains: "one shard" },
    {
      command: "armdb verify-cursor replica --json | jq '.shards[].maxVersionInData'",
      explains: "for scripts",
    },
  ],
  exits: [
    [0, "nothing wrong"],
    [3, "a cursor contradicts itself or its data"],
    [5, "a cursor could not be compared"],
    [10, "no database there"],
  ],
  next: ["armdb verify DIR", "armdb repair DIR"],
};

export const verifyCursorCommand: Command = { spec, run };

async function run(context: Context): Promise<number> {
  const path = requiredArgument(context, "DIR");
  const shard = numberArgument(context, "SHARD");
  const { disk, clock, stop } = context;
  const progress = context.messages.progress("verify-cursor");
  let report: CursorVerifyReport;
  try {
    report = await verifyCursors(path, shard, {
      disk,
      clock,
      stop,
      progress: (rows) => progress.update(rows.map(progressRow)),
    });
  } finally {
    progress.stop();
  }
  if (context.json) context.out.json(documentOf(report));
  else render(context.out, report, clock.wallMs());
  const findings = report.shards.flatMap((each) => each.findings);
  return outcomeOf(findings, stopStatus(report.stopped, stop)).status;
}

function documentOf(report: CursorVerifyReport): unknown {
  return {
    schema: 1,
    command: "verify-cursor",
    verdict: report.verdict,
    stopped: report.stopped,
    shards: report.shards.map(({ look, cursor, maxVersionInData, findings, verdict }) => ({
      shard: look.shard,
      verdict,
      cursor: cursorDocument(look.shard, cursor),
      maxVersionInData,
      findings: findings.map(findingToJson),
    })),
  };
}

function render(out: Output, report: CursorVerifyReport, wallMs: number): void {
  for (const shard of report.shards) {
    if (out.closed) return;
    renderCursor(out, shard.look, shard.cursor, wallMs);
    out.line(verdictLine(out, shard));
    renderFindings(out, shard.findings);
    out.line("");
  }
  const without = report.shards.every(({ cursor }) => cursor === null);
  const said = without
    ? "no shard has a cursor: this is not a replica, or one that never saved"
    : "";
  const place = escapeText(report.directory.path);
  const why = report.verdict === "ok" && said !== "" ? `: ${said}` : "";
  out.line(`${verdictWord(report.verdict, out.palette)}: ${place}${why}`);
}

function verdictLine(out: Output, { cursor, maxVersionInData, verdict }: CursorReport): string {
  const { palette } = out;
  if (cursor === null) return palette.dim("nothing to compare");
  const held =
    maxVersionInData === null
      ? "no slot was ever used"
      : `the greatest version in the data is ${formatCount(maxVersionInData)}`;
  if (verdict === "damaged") return `${palette.red("does not fit its shard")}: ${held}`;
  if (verdict === "unknown") return `${palette.yellow("cannot be told")}: ${held}`;
  const isBehind = maxVersionInData !== null && maxVersionInData > cursor.maxVersionSeen;
  const why = isBehind ? "; behind its data, which is normal between two saves" : "";
  return `${palette.green("fits its shard")}: ${held}${why}`;
}
