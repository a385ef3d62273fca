// What is asked before a plan is made: is this directory one to repair, and are the options about something that is there.
// Used by repair/plan/plan.ts. Reads a few keys at most.

import { ArmdbError } from "../../../errors.ts";
import { slotLayout } from "../../../format/slot.ts";
import type { Disk } from "../../../io/disk.ts";
import type { DatabaseDirectory } from "../../look/database-look.ts";
import type { Finding } from "../../findings.ts";
import { sampleKeys } from "../../look/key-sample.ts";
import type { PlanOptions } from "./types.ts";
import type { VerifyReport } from "../../verify.ts";

/** Half-way through a migration equal versions do not mean equal values (format.md: What later versions put beside it). */
export function refuseMigration({ findings, directory, verdict }: VerifyReport): void {
  const hasNothingToMend = verdict === "ok" || verdict === "incomplete";
  if (hasNothingToMend || !findings.some((finding) => finding.kind === "migration-half-way"))
    return;
  throw new ArmdbError(
    "incompatible",
    `Cannot repair "${directory.path}": a migration of a later crate stopped half-way; its files are not touched`,
    { path: directory.path, hint: "open it with the program that migrates it, then armdb verify" },
  );
}

/** Throws usage for a `--keep` that names no slot of a doubled key. */
export function checkKeep(damage: readonly Finding[], keep: PlanOptions["keep"]): void {
  const doubled = damage.filter((finding) => finding.kind === "key-duplicate");
  for (const { shard, slot } of keep) {
    const isDoubled = doubled.some(
      (finding) => finding.shard === shard && finding.slots?.includes(slot),
    );
    if (isDoubled) continue;
    throw new ArmdbError(
      "usage",
      `--keep ${shard}:${slot} is not one of several live slots with one key`,
      { shard, slot, hint: "armdb repair DIR lists the doubled keys with their slots" },
    );
  }
}

/** `--key-len` and `--value-len` are believed where nothing else says, and where the records bear them out. */
export function checkLengths(
  disk: Disk,
  directory: DatabaseDirectory,
  lengths: PlanOptions["lengths"],
): void {
  if (lengths === null || directory.layout !== null) return;
  const { keyLen, valueLen } = lengths;
  if (sampleKeys(disk, directory.shards, slotLayout(keyLen, valueLen)).length > 0) return;
  throw new ArmdbError(
    "usage",
    `With keys of ${keyLen} and values of ${valueLen} bytes not one record has a right crc`,
    { path: directory.path, hint: "the lengths that the program was compiled with" },
  );
}

/** Most live keys of the file belong elsewhere: then the file is in the wrong place, rather than the keys. */
export function isForeignFile(
  report: VerifyReport,
  shard: number,
  findings: readonly Finding[],
): boolean {
  const misrouted = findings
    .filter((finding) => finding.kind === "key-misrouted")
    .reduce((sum, finding) => sum + finding.count, 0);
  const counts = report.shards.find((each) => each.shard === shard);
  return misrouted > 0 && misrouted * 2 > (counts?.occupied ?? 0);
}

/** Slots of a shard that could not be read, where a sidecar that the crate would use has their words; null: none. */
export function unreadSlots({ sidecars, findings }: VerifyReport, shard: number): Finding | null {
  if (sidecars.get(shard) !== "valid") return null;
  const isUnread = ({ kind, slot }: Finding) => kind === "unreadable" && slot !== null;
  return findings.find((finding) => finding.shard === shard && isUnread(finding)) ?? null;
}
