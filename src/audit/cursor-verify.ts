// Every cursor of a database against the data of its shard, with a verdict a shard. Used by the command verify-cursor.
// Promises: reads only; a cursor that could not be compared is unknown, never fine.

import { CURSOR_FILE, type CursorFields } from "../format/cursor.ts";
import { checkCursor, cursorOf } from "./check/cursor.ts";
import {
  type DatabaseDirectory,
  isBeingWritten,
  readDirectory,
  type ShardLook,
} from "./look/database-look.ts";
import { FindingList } from "./finding-list.ts";
import { type Finding, outcomeOf, sortFindings, STOPPED_EARLY, type Verdict } from "./findings.ts";
import { checkShardPresence } from "./check/meta.ts";
import type { ScanResult } from "./scan/data.ts";
import { ScanPool, threadsFor } from "./scan/pool.ts";
import { hasCursor, type VerifyTools, scanTaskOf } from "./verify.ts";
import { shardOf } from "./inspect/slot-view.ts";
import { availableParallelism } from "node:os";

export interface CursorReport {
  readonly look: ShardLook;
  readonly cursor: CursorFields | null;
  /** Greatest version of the slots that were read; null when none was ever used or read. */
  readonly maxVersionInData: number | null;
  readonly findings: readonly Finding[];
  readonly verdict: Verdict;
}

export interface CursorVerifyReport {
  readonly directory: DatabaseDirectory;
  readonly verdict: Verdict;
  readonly stopped: boolean;
  readonly shards: readonly CursorReport[];
}

/** Verifies the cursors of `path`, or of one shard. Throws as readDirectory does. */
export async function verifyCursors(
  path: string,
  shard: number | null,
  tools: VerifyTools,
): Promise<CursorVerifyReport> {
  const directory = readDirectory(tools.disk, path);
  const looks = shard === null ? directory.shards : [shardOf(directory, shard)];
  const results = await scanVersions(directory, looks, tools);
  const shards = looks.map((look) =>
    judge(directory, look, results.get(look.shard) ?? null, tools),
  );
  const stopped = tools.stop.aborted;
  const all = new FindingList();
  for (const report of shards) all.addPaid(report.findings);
  if (stopped) all.add(STOPPED_EARLY);
  return { directory, verdict: outcomeOf(all.all, null).verdict, stopped, shards };
}

/** Scans the shards that have a cursor and can be read. */
async function scanVersions(
  directory: DatabaseDirectory,
  looks: readonly ShardLook[],
  tools: VerifyTools,
): Promise<Map<number, ScanResult>> {
  const bytes = looks.reduce((sum, look) => sum + look.fileBytes, 0);
  const jobs = threadsFor(looks.length, bytes, availableParallelism());
  using pool = new ScanPool(tools.disk, bytes, jobs);
  const isLive = isBeingWritten(directory, tools.disk);
  const tasks = looks
    .filter(
      (look) => cursorOf(look) !== null && look.data.bytes !== null && directory.layout !== null,
    )
    .map((look) => ({
      ...scanTaskOf(directory, look, { isLive, sidecarPath: null }),
      routing: null,
      duplicateBytesMax: 0,
    }));
  const { results } = await pool.scan(tasks, { ...tools, bytesPerSecond: null });
  return new Map(results.map((result) => [result.shard, result]));
}

function judge(
  directory: DatabaseDirectory,
  look: ShardLook,
  result: ScanResult | null,
  tools: VerifyTools,
): CursorReport {
  const findings = new FindingList();
  const cursor = cursorOf(look);
  checkShardPresence(look, findings);
  const versions = result?.versions ?? null;
  checkCursor(
    { look, isReplica: hasCursor(directory), versions, wallMs: tools.clock.wallMs() },
    findings,
  );
  const isUnread = versions === null || !versions.isWhole;
  const isSettled = versions !== null && cursor !== null && cursor.maxVersionSeen <= versions.max;
  if (cursor !== null && isUnread && !isSettled) {
    const message =
      "not all slots could be read: whether the cursor is ahead of its data cannot be told";
    findings.add({
      kind: "unreadable",
      shard: look.shard,
      file: `${look.name}/${CURSOR_FILE}`,
      message,
    });
  }
  return {
    look,
    cursor,
    maxVersionInData: versions === null || versions.max < 0 ? null : versions.max,
    findings: sortFindings(findings.all),
    verdict: outcomeOf(findings.all, null).verdict,
  };
}
