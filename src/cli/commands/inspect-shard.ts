// `armdb inspect shard DIR SHARD`: one shard from its header to its anomalies, and its slots where asked for. Reads only.

import { checkCopy, checkStateFile } from "../../audit/check/copy.ts";
import { checkCursor, cursorOf } from "../../audit/check/cursor.ts";
import {
  type DatabaseDirectory,
  isBeingWritten,
  readDirectory,
  type ShardLook,
  slotCountOf,
} from "../../audit/look/database-look.ts";
import { FindingList } from "../../audit/finding-list.ts";
import { type Finding, outcomeOf, sortFindings, STOPPED_EARLY } from "../../audit/findings.ts";
import { findingToJson } from "../../audit/finding-json.ts";
import { foldForeign } from "../../audit/check/foreign.ts";
import { checkHeader } from "../../audit/check/header.ts";
import { checkShardPresence } from "../../audit/check/meta.ts";
import { scanShard } from "../../audit/scan/shard.ts";
import { ScanRun, ShardState } from "../../audit/scan/run.ts";
import type { ScanCounts, ScanResult } from "../../audit/scan/data.ts";
import { ShardSpread } from "../../audit/inspect/shard-spread.ts";
import {
  checkSidecarState,
  lookAtSidecar,
  type SidecarLook,
  type SidecarState,
} from "../../audit/check/sidecar.ts";
import {
  isWanted,
  type ReadableShard,
  readableShard,
  readSlots,
  shardOf,
  type SlotFilter,
  type SlotView,
} from "../../audit/inspect/slot-view.ts";
import { hasCursor, scanTaskOf } from "../../audit/verify.ts";
import { type Command, type Context, stopStatus } from "../command.ts";
import { LIMIT_RATE_OPTION } from "../words/pace.ts";
import type { CommandSpec } from "../words/spec.ts";
import type { ByteFormat } from "../render/bytes.ts";
import { cursorDocument, describeAge } from "../render/cursor.ts";
import { goOnCommand } from "../render/copy.ts";
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
import {
  FORMAT_OPTION,
  formatOf,
  progressRow,
  requiredArgument,
  requiredNumber,
} from "./audit-arguments.ts";

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
    LIMIT_RATE_OPTION,
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
    [4, "shown, and its first copy has not ended"],
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
  const { out, disk, json } = context;
  const path = requiredArgument(context, "DIR");
  const directory = readDirectory(disk, path);
  const look = shardOf(directory, requiredNumber(context, "SHARD"));
  if (!json) renderHeader(out, look);
  const findings = new FindingList();
  const isThere = checkShardPresence(look, findings);
  if (isThere) checkHeader(directory, look, findings);
  const sidecar = lookAtSidecar(disk, look, slotCountOf(directory, look));
  if (isThere) checkSidecarState(look, sidecar, findings);

  const shard = isThere && directory.layout !== null ? readableShard(directory, look) : null;
  const seen = shard === null ? NOTHING_SEEN : await seeSlots(context, shard, sidecar);
  findings.addPaid(seen.result?.findings ?? []);
  checkCopy(directory, look, seen.result?.counts ?? null, findings);
  checkStateFile(directory, findings);
  const wallMs = context.clock.wallMs();
  const versions = seen.result?.versions ?? null;
  checkCursor({ look, isReplica: hasCursor(directory), versions, wallMs }, findings);

  const stopped = context.stop.aborted;
  if (stopped || seen.result?.stopped === true) findings.add(STOPPED_EARLY);
  const occupied = seen.result?.counts.occupied ?? 0;
  const told = foldForeign(findings.all, () => occupied, directory.routing);
  const sorted = sortFindings(told.findings);
  if (json) out.json(documentOf(context, directory, look, sidecar, seen, sorted));
  else renderRest(context, directory, look, sidecar, seen, sorted);
  const { verdict, status } = outcomeOf(sorted, stopStatus(stopped, context.stop));
  if (verdict === "incomplete") context.messages.info(`Try: ${goOnCommand(directory.copy, path)}`);
  return status;
}

/** What reading the slots gave; nothing where there are none to read. */
interface SlotsSeen {
  readonly result: ScanResult | null;
  readonly spread: ShardSpread | null;
  /** The documents of the slots that --slots asked for. */
  readonly listed: readonly unknown[];
}

const NOTHING_SEEN: SlotsSeen = { result: null, spread: null, listed: [] };

/** Lists the slots that were asked for, then scans them all. */
async function seeSlots(
  context: Context,
  shard: ReadableShard,
  sidecar: SidecarLook,
): Promise<SlotsSeen> {
  const { directory, look } = shard;
  const slotCount = slotCountOf(directory, look);
  const listed = listSlots(context, shard, slotCount);
  const isLive = isBeingWritten(directory, context.disk);
  const sidecarPath = sidecar.state === "unchecked" ? look.sidecar.path : null;
  const spread = new ShardSpread(
    slotCount,
    context.json ? JSON_CELLS : mapCells(context.out.columns),
  );
  const result = await scan(context, scanTaskOf(directory, look, { isLive, sidecarPath }), spread);
  return { result, spread, listed };
}

function documentOf(
  context: Context,
  directory: DatabaseDirectory,
  look: ShardLook,
  sidecar: SidecarLook,
  { result, spread, listed }: SlotsSeen,
  findings: readonly Finding[],
): unknown {
  const slots = slotCountOf(directory, look);
  const unread: ScanCounts = { occupied: 0, deleted: 0, free: 0, damaged: 0, unread: slots };
  const { min = null, max = null, median = null } = spread?.versions() ?? {};
  return {
    schema: 1,
    command: "inspect-shard",
    shard: look.shard,
    verdict: outcomeOf(findings, null).verdict,
    stopped: context.stop.aborted,
    complete: directory.copy.shards[look.shard] ?? null,
    header: look.header,
    fileBytes: String(look.fileBytes),
    counts: { slots, ...(result?.counts ?? unread) },
    versions: { min, max, median },
    occupancy: spread?.cells().map((cell) => cell.occupied) ?? [],
    sidecar: sidecarOf(sidecar, result),
    cursor: cursorDocument(look.shard, cursorOf(look)),
    lastUsedSlot: spread === null || spread.lastUsedSlot < 0 ? null : spread.lastUsedSlot,
    findings: findings.map(findingToJson),
    ...(wantsSlots(context) ? { slots: listed } : {}),
  };
}

/** What the crc came to, where it was worked out. */
function sidecarOf({ state }: SidecarLook, result: ScanResult | null): SidecarState {
  return state === "unchecked" ? (result?.sidecar ?? state) : state;
}

function renderRest(
  context: Context,
  directory: DatabaseDirectory,
  look: ShardLook,
  sidecar: SidecarLook,
  { result, spread }: SlotsSeen,
  findings: readonly Finding[],
): void {
  const { out, clock } = context;
  const { palette } = out;
  if (result !== null && spread !== null) {
    out.line("");
    renderCounts(out, result.slots, result.counts);
    out.line("");
    renderMap(out, spread.cells());
    out.line("");
    renderVersions(out, spread.versions());
    out.line("");
    renderGrowth(out, directory, look, spread.lastUsedSlot, result.counts);
  }
  const cursor = cursorOf(look);
  const saved =
    cursor === null ? "none" : `saved ${describeAge(cursor.lastAckAtMs, clock.wallMs())}`;
  out.line(`${palette.bold("sidecar")}: ${sidecarOf(sidecar, result)}`);
  out.line(`${palette.bold("cursor")}: ${saved}`);
  renderFindings(out, findings);
  if (findings.length === 0) out.line(`${palette.green("nothing wrong")} with this shard`);
}

async function scan(
  context: Context,
  task: ReturnType<typeof scanTaskOf>,
  spread: ShardSpread,
): Promise<ScanResult> {
  const { out, messages, stop, disk, clock } = context;
  const progress = messages.progress(`inspect shard ${task.shard}`);
  const run = new ScanRun(clock, context.args.bytes("limit-rate"));
  const state = ShardState.create(task, () => {
    if (stop.aborted || out.closed) run.end();
    progress.update([progressRow(state.progress())]);
  });
  try {
    return await scanShard(task, {
      disk,
      task: run.taskOf(state),
      state,
      budget: run.budgetOf(state),
      observe: (checker, first, slots) => spread.addChunk(checker, first, slots),
    });
  } finally {
    progress.stop();
  }
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
