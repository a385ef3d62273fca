// `armdb inspect DIR`: the database at a glance, and last what is wrong with it. Reads only.

import { cursorOf } from "../../audit/check/cursor.ts";
import type { DatabaseDirectory, ShardLook } from "../../audit/look/database-look.ts";
import { readDirectory } from "../../audit/look/database-look.ts";
import { findingToJson } from "../../audit/finding-json.ts";
import { outcomeOf } from "../../audit/findings.ts";
import {
  type ShardReport,
  VERIFY_ALL,
  type VerifyReport,
  verifyDirectory,
} from "../../audit/verify.ts";
import { type Command, type Context, stopStatus } from "../command.ts";
import type { Output } from "../surface/surface.ts";
import { LIMIT_RATE_OPTION } from "../words/pace.ts";
import type { CommandSpec } from "../words/spec.ts";
import { escapeText } from "../surface/escape.ts";
import { formatBytes, formatCount } from "../surface/numbers.ts";
import { cursorDocument, shortAge } from "../render/cursor.ts";
import { goOnCommand } from "../render/copy.ts";
import { renderFindings } from "../render/findings.ts";
import { geometryLine, geometryFields } from "../render/verify.ts";
import { type Column, tableLines } from "../surface/tables.ts";
import { progressRow, requiredArgument } from "./audit-arguments.ts";

const spec: CommandSpec = {
  name: "inspect",
  summary: "the database at a glance: geometry, counts, sizes, sidecars, cursors",
  description:
    "Shows all it can of a healthy, live, damaged or half-copied directory, and reports the damage last. Every slot is read, so that the counts are those of the disk. Takes no lock and writes nothing. " +
    "`shard`, `slot`, `key` and `cursor` after `inspect` are words: a directory of that name is written `./shard`.",
  arguments: [
    { name: "DIR", required: true, summary: "a database directory", complete: "directory" },
  ],
  options: [
    {
      name: "quick",
      kind: "flag",
      summary: "headers, sidecars and cursors only; no slots, no counts",
    },
    LIMIT_RATE_OPTION,
  ],
  examples: [
    { command: "armdb inspect /var/lib/app/db", explains: "a line a shard" },
    { command: "armdb inspect db --quick", explains: "at once, however large it is" },
    { command: "armdb inspect shard db 0", explains: "one shard from its header to its occupancy" },
    {
      command: "armdb inspect db --json | jq '.shards[] | {shard, occupied}'",
      explains: "for scripts",
    },
  ],
  exits: [
    [0, "shown, nothing wrong"],
    [3, "shown, and there is damage"],
    [4, "shown, and the first copy has not ended"],
    [5, "shown, but not all could be read"],
    [10, "no database there"],
    [13, "a database of another format"],
  ],
  next: ["armdb verify DIR", "armdb inspect shard DIR SHARD"],
};

export const inspectCommand: Command = { spec, run };

async function run(context: Context): Promise<number> {
  const { args, out, disk, clock, stop } = context;
  const quick = args.flag("quick");
  const path = requiredArgument(context, "DIR");
  if (!context.json) renderFirst(out, readDirectory(disk, path), clock.wallMs());
  const progress = context.messages.progress("inspect");
  let report: VerifyReport;
  try {
    const options = { ...VERIFY_ALL, quick, bytesPerSecond: args.bytes("limit-rate") };
    report = await verifyDirectory(path, options, {
      disk,
      clock,
      stop,
      progress: (rows) => progress.update(rows.map(progressRow)),
    });
  } finally {
    progress.stop();
  }
  if (context.json) out.json(documentOf(report, quick));
  else renderRest(out, report, quick);
  if (report.verdict === "incomplete")
    context.messages.info(`Try: ${goOnCommand(report.directory.copy, path)}`);
  return outcomeOf(report.findings, stopStatus(report.stopped, stop)).status;
}

function documentOf(report: VerifyReport, quick: boolean): unknown {
  const { directory } = report;
  return {
    schema: 1,
    command: "inspect",
    ...geometryFields(directory),
    live: report.live,
    stopped: report.stopped,
    lock: directory.lock,
    complete: directory.copy.complete,
    shards: report.shards.map((shard) => {
      const look = directory.shards[shard.shard];
      const cursor = look === undefined ? null : cursorOf(look);
      const { bytesRead: _, ...counts } = shard;
      return {
        ...counts,
        ...(quick ? NOT_COUNTED : {}),
        complete: directory.copy.shards[shard.shard] ?? null,
        fileBytes: String(look?.fileBytes ?? 0),
        sidecar: report.sidecars.get(shard.shard) ?? "none",
        cursor: cursorDocument(shard.shard, cursor),
      };
    }),
    verdict: report.verdict,
    findings: report.findings.map(findingToJson),
  };
}

/** Nobody has looked at the slots. */
const NOT_COUNTED = { occupied: null, deleted: null, free: null, damaged: null, unread: null };

const FILE_COLUMNS: readonly Column[] = [
  { title: "shard", align: "right" },
  { title: "file", align: "right" },
  { title: "slots", align: "right" },
  { title: "closed" },
  { title: "cursor", shrinks: true },
];

/** What the names and headers say: at once, before any slot is read. */
function renderFirst(out: Output, directory: DatabaseDirectory, wallMs: number): void {
  const { palette } = out;
  out.line(`${palette.bold(escapeText(directory.path))}: ${geometryLine(directory)}`);
  if (directory.lock !== null) {
    const { pid, kind } = directory.lock;
    const holder = pid === null ? "a process outside this container" : `process ${pid}`;
    out.line(
      palette.yellow(
        `${holder} holds it${kind === "shared" ? ", shared" : ""}: what follows may change while it is read`,
      ),
    );
  }
  out.line("");
  const rows = directory.shards.map((look) => fileRow(look, wallMs));
  for (const line of tableLines(FILE_COLUMNS, rows, out.columns, palette.dim)) out.line(line);
}

function fileRow(look: ShardLook, wallMs: number): string[] {
  const { header } = look;
  const cursor = cursorOf(look);
  return [
    String(look.shard),
    look.data.facts === null ? "missing" : formatBytes(look.fileBytes),
    header === null ? "?" : formatCount(header.slotCount),
    header === null ? "?" : header.cleanShutdown === 1 ? "clean" : "not clean",
    cursor === null
      ? "none"
      : `${formatCount(cursor.appliedTotal)} applied, version ${formatCount(cursor.maxVersionSeen)}, saved ${shortAge(cursor.lastAckAtMs, wallMs)}`,
  ];
}

const COUNT_COLUMNS: readonly Column[] = [
  { title: "shard", align: "right" },
  { title: "occupied", align: "right" },
  { title: "deleted", align: "right" },
  { title: "free", align: "right" },
  { title: "damaged", align: "right" },
  { title: "unread", align: "right" },
  { title: "sidecar" },
];

function renderRest(out: Output, report: VerifyReport, quick: boolean): void {
  if (!quick) renderCounts(out, report);
  renderFindings(out, report.findings);
}

function renderCounts(out: Output, report: VerifyReport): void {
  out.line("");
  const row = (
    label: string,
    counts: Omit<ShardReport, "shard" | "slots" | "bytesRead" | "cleanShutdown">,
    sidecar: string,
  ) => [
    label,
    ...[counts.occupied, counts.deleted, counts.free, counts.damaged, counts.unread].map(
      formatCount,
    ),
    sidecar,
  ];
  const rows = report.shards.map((shard) =>
    row(String(shard.shard), shard, report.sidecars.get(shard.shard) ?? "none"),
  );
  if (report.shards.length > 1) {
    const total = { occupied: 0, deleted: 0, free: 0, damaged: 0, unread: 0 };
    for (const shard of report.shards) {
      for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += shard[name];
    }
    rows.push(row("all", total, ""));
  }
  for (const line of tableLines(COUNT_COLUMNS, rows, out.columns, out.palette.dim)) out.line(line);
}
