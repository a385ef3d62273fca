// A shard's file that is another shard's: one cause, and every key in it is misrouted. Used by verify, and by `inspect shard`. Pure.
// Promises: one finding for such a file, header-shard-id with the shard whose keys these are; what follows from it is counted there
// and handed over apart, for repair, which looks at slots.

import { shardOfKey } from "../../format/routing.ts";
import type { RoutingDecision } from "../look/geometry.ts";
import type { Finding } from "../findings.ts";

/** A finding that follows from another one, and is counted in its message. */
export interface FollowedFinding {
  readonly finding: Finding;
  /** As it is told. */
  readonly from: Finding;
}

export interface FoldedFindings {
  readonly findings: readonly Finding[];
  readonly followed: readonly FollowedFinding[];
}

/** Folds what follows from a file in the wrong place. `occupied`: records of a shard that were read. */
export function foldForeign(
  findings: readonly Finding[],
  occupied: (shard: number) => number,
  routing: RoutingDecision,
): FoldedFindings {
  const files = foreignFiles(findings, occupied, routing);
  if (files.size === 0) return { findings, followed: [] };
  const told = new Map<number, Finding>();
  for (const [shard, file] of files) told.set(shard, toldOf(file, files));
  const left: Finding[] = [];
  const followed: FollowedFinding[] = [];
  for (const finding of findings) {
    const from = finding.shard === null ? undefined : told.get(finding.shard);
    if (from === undefined) left.push(finding);
    else if (finding.kind === "header-shard-id") left.push(from);
    else if (isFollowed(finding)) followed.push({ finding, from });
    else left.push(finding);
  }
  return { findings: left, followed };
}

interface ForeignFile {
  readonly header: Finding;
  readonly shard: number;
  readonly belongsTo: number;
  readonly occupied: number;
  readonly misrouted: number;
  readonly hidden: number;
}

function isFollowed({ kind }: Finding): boolean {
  return kind === "key-misrouted" || kind === "sidecar-hides-slot";
}

/** Files whose header names another shard, where most records are that shard's. */
function foreignFiles(
  findings: readonly Finding[],
  occupied: (shard: number) => number,
  routing: RoutingDecision,
): Map<number, ForeignFile> {
  const files = new Map<number, ForeignFile>();
  for (const header of findings) {
    const { shard } = header;
    if (header.kind !== "header-shard-id" || shard === null) continue;
    const mine = findings.filter((finding) => finding.shard === shard && isFollowed(finding));
    const count = (kind: Finding["kind"]) =>
      mine.reduce((sum, finding) => sum + (finding.kind === kind ? finding.count : 0), 0);
    const misrouted = count("key-misrouted");
    if (misrouted * 2 <= occupied(shard)) continue;
    const belongsTo = homeOfMost(mine, routing);
    if (belongsTo === null) continue;
    const hidden = count("sidecar-hides-slot");
    files.set(shard, { header, shard, belongsTo, occupied: occupied(shard), misrouted, hidden });
  }
  return files;
}

/** The shard that most of the misrouted keys belong to; null where no key is known. */
function homeOfMost(findings: readonly Finding[], routing: RoutingDecision): number | null {
  const homes = new Map<number, number>();
  for (const { kind, key } of findings) {
    if (kind !== "key-misrouted" || key === null) continue;
    const home = shardOfKey(Buffer.from(key, "hex"), routing.shardCount, routing.shardPrefixBits);
    homes.set(home, (homes.get(home) ?? 0) + 1);
  }
  let most: number | null = null;
  for (const [home, count] of homes) {
    if (most === null || count > (homes.get(most) ?? 0)) most = home;
  }
  return most;
}

function toldOf(file: ForeignFile, files: ReadonlyMap<number, ForeignFile>): Finding {
  const { header, shard, belongsTo, occupied, misrouted, hidden } = file;
  const isExchanged = files.get(belongsTo)?.belongsTo === shard;
  const [first, second] = [Math.min(shard, belongsTo), Math.max(shard, belongsTo)];
  const what = isExchanged
    ? `the files of shard ${first} and ${second} are exchanged`
    : `the file is that of shard ${belongsTo}`;
  const keys = `${count(misrouted)} of ${records(occupied)} here belong to shard ${belongsTo}`;
  const words = hidden === 0 ? "" : `, ${count(hidden)} do not agree with the sidecar`;
  return { ...header, belongsTo, message: `${what}: ${keys}${words}` };
}

function count(number: number): string {
  return number.toLocaleString("en-US");
}

function records(number: number): string {
  return number === 1 ? "1 record" : `${count(number)} records`;
}
