// `armdb inspect cursor DIR [SHARD]`: each cursor field by field. Reads the cursors only; verify-cursor compares them.

import { checkCursor, cursorOf } from "../../audit/check/cursor.ts";
import { readDirectory } from "../../audit/look/database-look.ts";
import { FindingList } from "../../audit/finding-list.ts";
import { findingToJson } from "../../audit/finding-json.ts";
import { outcomeOf, sortFindings } from "../../audit/findings.ts";
import { shardOf } from "../../audit/inspect/slot-view.ts";
import { hasCursor } from "../../audit/verify.ts";
import type { Command, Context } from "../command.ts";
import type { CommandSpec } from "../words/spec.ts";
import { cursorDocument, renderCursor } from "../render/cursor.ts";
import { renderFindings } from "../render/findings.ts";
import { numberArgument, requiredArgument } from "./audit-arguments.ts";

const spec: CommandSpec = {
  name: "inspect cursor",
  summary: "each cursor field by field",
  description:
    "A cursor is what a follower notes of its progress: events applied, greatest version, time of the save. It decides nothing. Only the cursors are read: whether they fit their data is for verify-cursor.",
  arguments: [
    { name: "DIR", required: true, summary: "a database directory", complete: "directory" },
    { name: "SHARD", required: false, summary: "only this shard" },
  ],
  options: [],
  examples: [
    { command: "armdb inspect cursor replica", explains: "every shard" },
    {
      command: "armdb inspect cursor replica 2 --json | jq '.shards[0].cursor'",
      explains: "for scripts",
    },
  ],
  exits: [
    [0, "shown"],
    [3, "shown, and a cursor contradicts itself"],
    [5, "a cursor could not be read"],
    [10, "no database there"],
  ],
  next: ["armdb verify-cursor DIR"],
};

export const inspectCursorCommand: Command = { spec, run };

async function run(context: Context): Promise<number> {
  const { out, disk } = context;
  const directory = readDirectory(disk, requiredArgument(context, "DIR"));
  const number = numberArgument(context, "SHARD");
  const looks = number === null ? directory.shards : [shardOf(directory, number)];
  const wallMs = context.clock.wallMs();
  const isReplica = hasCursor(directory);
  const shards = looks.map((look) => {
    const findings = new FindingList();
    checkCursor({ look, isReplica, versions: null, wallMs }, findings);
    return { look, cursor: cursorOf(look), findings: sortFindings(findings.all) };
  });
  if (context.json) {
    out.json({
      schema: 1,
      command: "inspect-cursor",
      shards: shards.map(({ look, cursor, findings }) => ({
        shard: look.shard,
        cursor: cursorDocument(look.shard, cursor),
        findings: findings.map(findingToJson),
      })),
    });
  } else {
    for (const [index, { look, cursor, findings }] of shards.entries()) {
      if (out.closed) break;
      if (index > 0) out.line("");
      renderCursor(out, look, cursor, wallMs);
      renderFindings(out, findings);
    }
  }
  const found = shards.flatMap(({ findings }) => findings);
  return outcomeOf(found, null).status;
}
