// Whether what is here is the whole of what the leader had (cli.md: Complete). Used by verify and inspect. Pure: what
// armdb.state.json says was read with the directory.

import { STATE_FILE } from "../../store/state-file.ts";
import type { DatabaseDirectory, ShardLook } from "../look/database-look.ts";
import type { FindingList } from "../finding-list.ts";

/** What the scan of a shard's slots has counted. */
interface RecordsHere {
  readonly occupied: number;
  readonly unread: number;
}

/** Adds copy-incomplete where the first copy of a shard has not ended; `counts` null: its slots were not looked at. */
export function checkCopy(
  { copy }: DatabaseDirectory,
  { shard }: ShardLook,
  counts: RecordsHere | null,
  findings: FindingList,
): void {
  if (copy.shards[shard] !== false) return;
  const from = copy.leader === null ? "" : ` from ${copy.leader}`;
  const message = `the first copy${from} has not ended${recordsText(counts)}`;
  findings.add({ kind: "copy-incomplete", shard, message });
}

/** Adds what is wrong with the state file itself; without one there is nothing to say. */
export function checkStateFile({ copy }: DatabaseDirectory, findings: FindingList): void {
  const { fault } = copy;
  if (fault === null) return;
  const file = STATE_FILE;
  if (fault.kind === "not-understood") {
    findings.add({ kind: "state-unreadable", file, message: `${STATE_FILE} ${fault.why}` });
    return;
  }
  const message = `${STATE_FILE} cannot be read: ${fault.errno}; whether the first copy has ended is not known`;
  findings.add({ kind: "unreadable", file, message });
}

function recordsText(counts: RecordsHere | null): string {
  if (counts === null) return "";
  const { occupied, unread } = counts;
  const records = occupied.toLocaleString("en-US");
  const atLeast = unread > 0 ? "at least " : "";
  return occupied === 1
    ? `, ${atLeast}1 record is here`
    : `, ${atLeast}${records} records are here`;
}
