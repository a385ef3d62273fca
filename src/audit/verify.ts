// Verifies a database directory: every byte that can be checked, and a verdict. Used by the commands verify and repair
// (before and after). Promises: reads only, takes no lock; lists all damage; what was not checked is never reported as
// sound; its accounting adds up.

import { shellWord } from "../shell-words.ts";
import { availableParallelism } from "node:os";
import { ArmdbError, assert } from "../errors.ts";
import type { Clock } from "../io/clock.ts";
import type { Disk } from "../io/disk.ts";
import { DUPLICATE_SEARCH_BYTES_MAX } from "../limits.ts";
import { checkCopy, checkStateFile } from "./check/copy.ts";
import { checkCursor } from "./check/cursor.ts";
import {
  type DatabaseDirectory,
  isBeingWritten,
  readDirectory,
  type ShardLook,
  slotCountOf,
} from "./look/database-look.ts";
import { FindingList } from "./finding-list.ts";
import { type Finding, outcomeOf, sortFindings, STOPPED_EARLY, type Verdict } from "./findings.ts";
import { foldForeign, type FollowedFinding } from "./check/foreign.ts";
import { checkHeader } from "./check/header.ts";
import { checkMeta, checkShardPresence } from "./check/meta.ts";
import type { ScanResult, ScanTask } from "./scan/data.ts";
import { ScanPool, threadsFor } from "./scan/pool.ts";
import type { ShardProgress } from "./scan/run.ts";
import { checkSidecarState, lookAtSidecar, type SidecarState } from "./check/sidecar.ts";
import { checkStrayFiles } from "./check/stray.ts";

export interface VerifyOptions {
  /** Sizes and headers only. */
  readonly quick: boolean;
  /** Null: all. */
  readonly shard: number | null;
  /** Threads at most; null: one a processor. */
  readonly jobs: number | null;
  /** Null: as fast as it goes. */
  readonly bytesPerSecond: number | null;
}

/** Every slot of every shard, as fast as it goes. */
export const VERIFY_ALL: VerifyOptions = {
  quick: false,
  shard: null,
  jobs: null,
  bytesPerSecond: null,
};

export interface VerifyTools {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly stop: AbortSignal;
  progress(rows: readonly VerifyProgress[]): void;
}

export type VerifyProgress = ShardProgress;

/** One shard's line of the accounting (cli.md: JSON, verify). */
export interface ShardReport {
  readonly shard: number;
  readonly slots: number;
  readonly occupied: number;
  readonly deleted: number;
  readonly free: number;
  readonly damaged: number;
  readonly unread: number;
  readonly bytesRead: number;
  readonly cleanShutdown: boolean;
}

export interface VerifyReport {
  readonly directory: DatabaseDirectory;
  readonly verdict: Verdict;
  /** Somebody was writing while it was read. */
  readonly live: boolean;
  /** Ended before all was checked. */
  readonly stopped: boolean;
  readonly shards: readonly ShardReport[];
  /** State of each shard's sidecar (check/sidecar.ts). */
  readonly sidecars: ReadonlyMap<number, SidecarState>;
  /** Damage first (findings.ts: sortFindings). */
  readonly findings: readonly Finding[];
  /** What one of the findings explains: counted in it, and not told beside it. */
  readonly followed: readonly FollowedFinding[];
  readonly slotsChecked: number;
  readonly bytesChecked: number;
  /** What was read for it, sidecars and second readings too. */
  readonly bytesRead: number;
  readonly ms: number;
}

/** Verifies `path`. Throws as readDirectory does, and usage when there is no such shard. */
export async function verifyDirectory(
  path: string,
  options: VerifyOptions,
  tools: VerifyTools,
): Promise<VerifyReport> {
  const startMs = tools.clock.nowMs();
  const directory = readDirectory(tools.disk, path);
  const looks = chosenShards(directory, options.shard);
  const bytes = options.quick ? 0 : sum(looks, (look) => look.fileBytes);
  const jobs = threadsFor(looks.length, bytes, options.jobs ?? availableParallelism());
  using pool = new ScanPool(tools.disk, bytes, jobs);
  const isLive = isBeingWritten(directory, tools.disk);
  const findings = new FindingList();
  checkMeta(directory, findings);
  const plans = looks.map((look) =>
    planShard(tools.disk, directory, look, options, isLive, findings),
  );
  const { results, bytesRead } = await scanPlanned(pool, plans, options, tools);
  const reports = plans.map((plan) => {
    const result = results.get(plan.look.shard) ?? null;
    if (result !== null) findings.addPaid(result.findings);
    checkCopy(directory, plan.look, result?.counts ?? null, findings);
    checkShardCursor(directory, plan.look, result, tools.clock, findings);
    return reportOf(plan, result);
  });
  checkStateFile(directory, findings);
  checkStrayFiles(tools.disk, directory, findings);
  const scanned = [...results.values()];
  const stopped = scanned.some((result) => result.stopped) || tools.stop.aborted;
  if (stopped) findings.add(STOPPED_EARLY);
  const occupied = new Map(reports.map((report) => [report.shard, report.occupied]));
  const told = foldForeign(findings.all, (shard) => occupied.get(shard) ?? 0, directory.routing);
  return {
    directory,
    verdict: outcomeOf(told.findings, null).verdict,
    live: isLive || scanned.some((result) => result.changed),
    stopped,
    shards: reports,
    sidecars: new Map(
      plans.map(({ look, sidecar }) => [
        look.shard,
        sidecar === "unchecked" ? (results.get(look.shard)?.sidecar ?? sidecar) : sidecar,
      ]),
    ),
    findings: sortFindings(told.findings),
    followed: told.followed,
    slotsChecked: sum(reports, (report) => report.slots - report.unread),
    bytesChecked: sum(reports, (report) => report.bytesRead),
    bytesRead: bytesRead + sum(looks, (look) => look.data.bytes?.length ?? 0),
    ms: Math.round(tools.clock.nowMs() - startMs),
  };
}

/** A shard with its scan, null where there is nothing to scan. */
interface ShardPlan {
  readonly look: ShardLook;
  readonly slots: number;
  readonly sidecar: SidecarState;
  readonly task: ScanTask | null;
}

function chosenShards(directory: DatabaseDirectory, shard: number | null): readonly ShardLook[] {
  if (shard === null) return directory.shards;
  const look = directory.shards[shard];
  if (look !== undefined) return [look];
  throw noSuchShard(directory, shard);
}

/** The usage error for a shard number past the last one. */
export function noSuchShard(directory: DatabaseDirectory, shard: number): ArmdbError {
  const last = directory.shards.length - 1;
  return new ArmdbError(
    "usage",
    `There is no shard ${shard} in "${directory.path}": its shards are 0 to ${last}`,
    {
      path: directory.path,
      shard,
      hint: `armdb inspect ${shellWord(directory.path)}`,
    },
  );
}

/** Checks all that needs no scan, and says what to scan. */
function planShard(
  disk: Disk,
  directory: DatabaseDirectory,
  look: ShardLook,
  options: VerifyOptions,
  isLive: boolean,
  findings: FindingList,
): ShardPlan {
  if (!checkShardPresence(look, findings)) return { look, slots: 0, sidecar: "none", task: null };
  checkHeader(directory, look, findings);
  const slots = slotCountOf(directory, look);
  const sidecar = lookAtSidecar(disk, look, slots);
  checkSidecarState(look, sidecar, findings);
  if (directory.layout === null) {
    const message = "no header says how long keys and values are: the slots cannot be told apart";
    findings.add({ kind: "unreadable", shard: look.shard, file: look.data.name, message });
    return { look, slots: 0, sidecar: sidecar.state, task: null };
  }
  if (options.quick) return { look, slots, sidecar: sidecar.state, task: null };
  const isUsed = sidecar.state === "unchecked";
  return {
    look,
    slots,
    sidecar: sidecar.state,
    task: scanTaskOf(directory, look, { isLive, sidecarPath: isUsed ? look.sidecar.path : null }),
  };
}

/** The scan of one shard; the memory for doubled keys is that of a scan alone. */
export function scanTaskOf(
  directory: DatabaseDirectory,
  look: ShardLook,
  known: { readonly isLive: boolean; readonly sidecarPath: string | null },
): ScanTask {
  const { layout, routing } = directory;
  assert(layout !== null, "a shard is scanned only when its layout is known");
  const isRouted = routing.shardCount > 1 && routing.bitsKnown;
  return {
    shard: look.shard,
    path: look.data.path,
    file: look.data.name,
    layout,
    slotCount: slotCountOf(directory, look),
    fileBytes: look.fileBytes,
    routing: isRouted
      ? {
          shard: look.shard,
          shardCount: routing.shardCount,
          shardPrefixBits: routing.shardPrefixBits,
        }
      : null,
    sidecarPath: known.sidecarPath,
    duplicateBytesMax: DUPLICATE_SEARCH_BYTES_MAX,
    isLive: known.isLive,
  };
}

async function scanPlanned(
  pool: ScanPool,
  plans: readonly ShardPlan[],
  { bytesPerSecond }: VerifyOptions,
  { clock, stop, progress }: VerifyTools,
): Promise<{ results: Map<number, ScanResult>; bytesRead: number }> {
  const tasks = plans.flatMap(({ task }) => (task === null ? [] : [task]));
  const { results, bytesRead } = await pool.scan(tasks, { clock, stop, bytesPerSecond, progress });
  return { results: new Map(results.map((result) => [result.shard, result])), bytesRead };
}

function checkShardCursor(
  directory: DatabaseDirectory,
  look: ShardLook,
  result: ScanResult | null,
  clock: Clock,
  findings: FindingList,
): void {
  const isReplica = hasCursor(directory);
  checkCursor(
    { look, isReplica, versions: result?.versions ?? null, wallMs: clock.wallMs() },
    findings,
  );
}

/** True when a shard has a cursor: the directory is a replica's (format.md: fixed_repl.cursor). */
export function hasCursor(directory: DatabaseDirectory): boolean {
  return directory.shards.some((look) => look.cursor.facts !== null);
}

function reportOf({ look, slots }: ShardPlan, result: ScanResult | null): ShardReport {
  const counts = result?.counts ?? { occupied: 0, deleted: 0, free: 0, damaged: 0, unread: slots };
  const total = counts.occupied + counts.deleted + counts.free + counts.damaged + counts.unread;
  assert(total === slots, `shard ${look.shard}: ${total} slots accounted for, ${slots} expected`);
  return {
    shard: look.shard,
    slots,
    ...counts,
    bytesRead: (result?.bytesChecked ?? 0) + (look.data.bytes?.length ?? 0),
    cleanShutdown: look.header?.cleanShutdown === 1,
  };
}

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
