// `armdb inspect shard DIR SHARD`: one shard from its header to its anomalies, and its slots where asked for. Reads only.

import { checkCursor, cursorOf } from "../../audit/cursor-check.ts";
import { isBeingWritten, readDirectory, slotCountOf } from "../../audit/directory.ts";
import {
  type Finding,
  FindingList,
  findingToJson,
  sortFindings,
  verdictOf,
  verdictStatus,
} from "../../audit/findings.ts";
import { checkHeader } from "../../audit/header-check.ts";
import { checkShardPresence } from "../../audit/meta-check.ts";
import { scanShard } from "../../audit/scan.ts";
import type { ScanResult } from "../../audit/scan-task.ts";
import { ShardSpread } from "../../audit/shard-spread.ts";
import { checkSidecarState, lookAtSidecar } from "../../audit/sidecar-check.ts";
import {
  isWanted,
  type ReadableShard,
  readableShard,
  readSlots,
  shardOf,
  type SlotFilter,
  type SlotView,
} from "../../audit/slot-view.ts";
import { hasCursor, scanTaskOf } from "../../audit/verify.ts";
import { type Command, type CommandSpec, type Context, signalStatus } from "../command.ts";
import type { ByteFormat } from "../render/bytes.ts";
import { cursorDocument, describeAge } from "../render/cursor.ts";
import { renderFindings } from "../render/findings.ts";
import {
  mapCells,
  renderCounts,
  renderGrowth,
  renderHeader,
  renderMap,
  renderVersions,
} from "../render/shard.ts";
import { renderSlotTable, slotDocument } from "../render/slots.ts";
import { FORMAT_OPTION, formatOf, requiredArgument, requiredNumber } from "./audit-arguments.ts";

const spec: CommandSpec = {
  name: "inspect shard",
  summary: "one shard: header, occupancy, versions, growth, every anomaly",
  description:
    "Prints the header field by field with offsets, raw bytes and meanings, then reads every slot: counts, an occupancy map, the spread of versions, room to grow, and last every anomaly. With --slots, --only or --limit it lists slots first.",
  arguments: [
    { name: "DIR", required: true, summary: "a database directory", complete: "directory" },
    { name: "SHARD", required: true, summary: "its number, from 0" },
  ],
  options: [
    {
      name: "slots",
      kind: "range",
      value: "A..B",
      summary: "list these slots, both ends included",
    },
    {
      name: "only",
      kind: "choice",
      value: "STATUS",
      choices: ["occupied", "deleted", "free", "damaged"],
      summary: "list only slots of this kind",
    },
    {
      name: "limit",
      kind: "integer",
      value: "N",
      summary: "list at most so many slots (100 when not given)",
    },
    FORMAT_OPTION,
  ],
  examples: [
    { command: "armdb inspect shard db 0", explains: "header, map, versions, anomalies" },
    { command: "armdb inspect shard db 0 --slots 0..20", explains: "its first slots as well" },
    {
      command: "armdb inspect shard db 0 --only damaged --format redacted",
      explains: "damaged slots, to be shown to others",
    },
    { command: "armdb inspect shard db 0 --json | jq .versions", explains: "for scripts" },
  ],
  exits: [
    [0, "shown, nothing wrong"],
    [3, "shown, and there is damage"],
    [5, "shown, but not all could be read"],
    [10, "no database there"],
  ],
  next: ["armdb inspect slot DIR SHARD SLOT", "armdb verify DIR"],
};

export const inspectShardCommand: Command = { spec, run };

const LISTED_DEFAULT = 100;
/** Cells of the map in JSON. */
const JSON_CELLS = 64;
/** Slots that are gathered before a part of the table is printed. */
const TABLE_SLOTS = 200;

async function run(context: Context): Promise<number> {
  const { out, disk } = context;
  const path = requiredArgument(context, "DIR");
  const directory = readDirectory(disk, path);
  const look = shardOf(directory, requiredNumber(context, "SHARD"));
  const findings = new FindingList();
  const isThere = checkShardPresence(look, findings);
  if (!context.json) renderHeader(out, look);
  if (isThere) checkHeader(directory, look, findings);
  const slotCount = slotCountOf(directory, look);
  const sidecar = lookAtSidecar(disk, look, slotCount);
  checkSidecarState(look, sidecar, findings);
  const shard = isThere && directory.layout !== null ? readableShard(directory, look) : null;
  const listed = shard === null ? [] : listSlots(context, shard, slotCount);

  const isLive = isBeingWritten(directory);
  const spread = new ShardSpread(slotCount, context.json ? JSON_CELLS : mapCells(out.columns));
  let result: ScanResult | null = null;
  if (shard !== null && !out.closed) {
    const sidecarPath = sidecar.state === "valid" && !isLive ? look.sidecar.path : null;
    result = await scan(context, scanTaskOf(directory, look, { isLive, sidecarPath }), spread);
    findings.addAll(result.findings);
  }
  const wallMs = context.clock.wallMs();
  checkCursor(
    { look, isReplica: hasCursor(directory), versions: result?.versions ?? null, wallMs },
    findings,
  );
  const sorted = sortFindings(findings.all);
  if (context.json) {
    const versions = spread.versions();
    const { min = null, max = null, median = null } = versions ?? {};
    out.json({
      schema: 1,
      command: "inspect-shard",
      shard: look.shard,
      header: look.header,
      fileBytes: String(look.fileBytes),
      counts: { slots: slotCount, ...(result?.counts ?? UNREAD(slotCount)) },
      versions: { min, max, median },
      occupancy: spread.cells().map((cell) => cell.occupied),
      sidecar: sidecar.state,
      cursor: cursorDocument(look.shard, cursorOf(look)),
      lastUsedSlot: spread.lastUsedSlot < 0 ? null : spread.lastUsedSlot,
      findings: sorted.map(findingToJson),
      ...(wantsSlots(context) ? { slots: listed } : {}),
    });
  } else if (result !== null) {
    renderScan(context, result, spread);
    renderGrowth(out, directory, look, spread.lastUsedSlot, result.counts);
    const cursor = cursorOf(look);
    const saved = cursor === null ? "none" : `saved ${describeAge(cursor.lastAckAtMs, wallMs)}`;
    out.line(
      `${out.palette.bold("sidecar")}: ${sidecar.state}; ${out.palette.bold("cursor")}: ${saved}`,
    );
  }
  return finish(context, sorted, result);
}

const UNREAD = (slotCount: number) => ({
  occupied: 0,
  deleted: 0,
  free: 0,
  damaged: 0,
  unread: slotCount,
});

function finish(context: Context, sorted: readonly Finding[], result: ScanResult | null): number {
  if (!context.json) {
    renderFindings(context.out, sorted);
    if (sorted.length === 0)
      context.out.line(`${context.out.palette.green("nothing wrong")} with this shard`);
  }
  if (result?.stopped === true && context.stop.aborted) return signalStatus(context.stop.reason);
  return verdictStatus(verdictOf(sorted));
}

async function scan(
  context: Context,
  task: ReturnType<typeof scanTaskOf>,
  spread: ShardSpread,
): Promise<ScanResult> {
  const { out, messages, stop } = context;
  const progress = messages.progress(`inspect shard ${task.shard}`);
  const { slotSize } = task.layout;
  const total = task.slotCount * slotSize;
  try {
    return await scanShard(task, {
      disk: context.disk,
      clock: context.clock,
      shouldStop: () => stop.aborted || out.closed,
      progress: (slotsDone) =>
        progress.update([
          {
            label: `shard ${task.shard}`,
            state: "reading",
            done: slotsDone * slotSize,
            total,
            unit: "bytes",
          },
        ]),
      observe: (checker, first, slots) => spread.addChunk(checker, first, slots),
    });
  } finally {
    progress.stop();
  }
}

function renderScan({ out }: Context, result: ScanResult, spread: ShardSpread): void {
  out.line("");
  renderCounts(out, result.slots, result.counts);
  out.line("");
  renderMap(out, spread.cells());
  out.line("");
  renderVersions(out, spread.versions());
  out.line("");
}

function wantsSlots({ args }: Context): boolean {
  return (
    args.range("slots") !== null || args.text("only") !== null || args.integer("limit") !== null
  );
}

/** Lists the slots that were asked for: prints them, or returns their documents for JSON. */
function listSlots(context: Context, shard: ReadableShard, slotCount: number): unknown[] {
  if (!wantsSlots(context)) return [];
  const { args, out, json } = context;
  const format = formatOf(context);
  const range = args.range("slots") ?? { first: 0, last: slotCount - 1 };
  const limit = args.integer("limit") ?? LISTED_DEFAULT;
  const only = args.text("only") as SlotFilter | null;
  const documents: unknown[] = [];
  let part: SlotView[] = [];
  let listed = 0;
  let isCut = false;
  if (!json) out.line("");
  for (const view of readSlots(
    context.disk,
    shard,
    range.first,
    Math.min(range.last, slotCount - 1),
  )) {
    if (out.closed || context.stop.aborted) break;
    if (!isWanted(view, only)) continue;
    isCut = listed >= limit;
    if (isCut) break;
    listed += 1;
    if (json) documents.push(slotDocument(view, format));
    else part.push(view);
    if (part.length === TABLE_SLOTS) part = flush(context, part, format);
  }
  flush(context, part, format);
  if (!json && listed === 0) out.line(`no ${only ?? ""} slots there`.replace("  ", " "));
  if (isCut) context.messages.info(`Only the first ${limit} are listed: --limit N shows more`);
  return documents;
}

function flush({ out }: Context, part: readonly SlotView[], format: ByteFormat): SlotView[] {
  if (part.length > 0) renderSlotTable(out, part, format);
  return [];
}
