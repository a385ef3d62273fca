// `armdb verify DIR`: every byte that can be checked, and a verdict. Reads only; writes nothing but the report that was
// asked for.

import { shellWord } from "../../shell-words.ts";
import { dirname } from "node:path";
import { outcomeOf } from "../../audit/findings.ts";
import { type VerifyReport, verifyDirectory } from "../../audit/verify.ts";
import { ArmdbError } from "../../errors.ts";
import type { Disk } from "../../io/disk.ts";
import { type Command, type Context, stopStatus } from "../command.ts";
import { LIMIT_RATE_OPTION, PROGRESS_OPTION } from "../words/pace.ts";
import type { CommandSpec } from "../words/spec.ts";
import { progressRow, requiredArgument } from "./audit-arguments.ts";
import { goOnCommand } from "../render/copy.ts";
import { renderVerify, verifyDocument } from "../render/verify.ts";

const spec: CommandSpec = {
  name: "verify",
  summary: "check every byte that can be checked, and give a verdict",
  description:
    "Checks db.meta, the headers against each other and the file sizes, every slot (status, crc, padding), the shard of every live key, keys that are live twice, the sidecar word by word, the clean flag, the cursor, whether a follower's first copy has ended, and other files. Lists all damage with shard, slot and byte offset. " +
    "Takes no lock and writes nothing. While a follower writes, slots that look bad are read again before they are called so. Ctrl-C keeps and prints what was found.",
  arguments: [
    { name: "DIR", required: true, summary: "a database directory", complete: "directory" },
  ],
  options: [
    { name: "quick", kind: "flag", summary: "sizes and headers only, no slots" },
    { name: "shard", kind: "integer", value: "N", summary: "only this shard" },
    {
      name: "report",
      kind: "text",
      value: "FILE",
      complete: "file",
      summary: "also write the findings to a new file, for repair --plan",
    },
    LIMIT_RATE_OPTION,
    {
      name: "jobs",
      kind: "integer",
      value: "N",
      summary:
        "threads; one a processor when not given. One with no shard left helps with the others",
    },
    PROGRESS_OPTION,
  ],
  examples: [
    { command: "armdb verify /var/lib/app/db", explains: "everything" },
    {
      command: "armdb verify db --limit-rate 50MiB --jobs 1",
      explains: "gently, beside other work",
    },
    {
      command: "armdb verify db --report damage.json; armdb repair db --plan damage.json",
      explains: "repair without a second scan",
    },
    {
      command: "armdb verify db --json | jq '.findings[] | select(.severity == \"damage\")'",
      explains: "for scripts",
    },
  ],
  exits: [
    [0, "no damage (notes are no damage)"],
    [3, "damage found"],
    [4, "sound, but the first copy has not ended (armdb.state.json)"],
    [5, "something could not be checked"],
    [10, "no database there"],
    [13, "a database of another format"],
    [130, "stopped; what was found until then is printed"],
  ],
  next: ["armdb repair DIR", "armdb compare DIR LEADER"],
};

export const verifyCommand: Command = { spec, run };

async function run(context: Context): Promise<number> {
  const { args, disk, out, messages } = context;
  const path = requiredArgument(context, "DIR");
  const reportPath = args.text("report");
  if (reportPath !== null) refuseReport(disk, reportPath);
  const quick = args.flag("quick");
  const jobs = args.integer("jobs");
  if (jobs === 0) throw new ArmdbError("usage", "--jobs must be at least 1", { hint: "--jobs 1" });
  const progress = messages.progress("verify");
  let report: VerifyReport;
  try {
    report = await verifyDirectory(
      path,
      { quick, shard: args.integer("shard"), jobs, bytesPerSecond: args.bytes("limit-rate") },
      {
        disk,
        clock: context.clock,
        stop: context.stop,
        progress: (rows) => progress.update(rows.map(progressRow)),
      },
    );
  } finally {
    progress.stop();
  }
  const document = verifyDocument(report);
  if (context.json) out.json(document);
  else renderVerify(out, report, quick);
  if (reportPath !== null) writeReport(context, reportPath, document);
  if (report.verdict === "damaged")
    messages.info(`Try: armdb repair ${shellWord(path)} (prints a plan, changes nothing)`);
  if (report.verdict === "incomplete")
    messages.info(`Try: ${goOnCommand(report.directory.copy, path)}`);
  return outcomeOf(report.findings, stopStatus(report.stopped, context.stop)).status;
}

/** Before the scan, not after an hour of it. */
function refuseReport(disk: Disk, path: string): void {
  if (disk.facts(path) !== null) {
    throw new ArmdbError("usage", `Cannot write the report "${path}": it exists already`, {
      path,
      hint: "another name; reports are never overwritten",
    });
  }
  const directory = dirname(path);
  if (disk.facts(directory) === null) {
    throw new ArmdbError(
      "usage",
      `Cannot write the report "${path}": there is no directory "${directory}"`,
      {
        path,
        hint: `mkdir -p ${shellWord(directory)}`,
      },
    );
  }
}

function writeReport({ disk, messages }: Context, path: string, document: unknown): void {
  const file = disk.open(path, "create", 0o600);
  try {
    file.write(Buffer.from(`${JSON.stringify(document)}\n`, "utf8"), 0);
    file.sync();
  } finally {
    file.close();
  }
  messages.info(`Report written to ${path}`);
}
