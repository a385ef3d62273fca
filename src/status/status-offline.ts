// The status of a directory on which no follower answers, from what its files say without a scan: headers, sidecars, cursors and
// armdb.state.json (docs/cli.md: armdb status). Used by commands/status-look.ts. Opens for reading only, takes no lock; what the files
// do not say is null.

import {
  type DatabaseDirectory,
  readDirectory,
  type ShardLook,
  slotCountOf,
} from "../audit/look/database-look.ts";
import { lookAtSidecar } from "../audit/check/sidecar.ts";
import { decodeCursor } from "../format/cursor.ts";
import { STATUS_OCCUPIED, statusOf } from "../format/slot.ts";
import { DiskError, type Disk } from "../io/disk.ts";
import { type FollowerState, readState } from "../store/state-file.ts";
import { stoppedValues } from "./field-rows.ts";
import { SHARD_FIELDS, type ShardStatus } from "./fields.ts";
import { FOLLOWER_FIELDS, savedTime } from "./follower-fields.ts";
import type { StatusDocument } from "./status-types.ts";

/** Throws no-database (10), incompatible (13), and DiskError for a directory that cannot be listed. */
export function stoppedStatus(disk: Disk, dir: string, wallMs: number): StatusDocument {
  const directory = readDirectory(disk, dir);
  const { copy, lock: holder } = directory;
  const state = readStateOrNull(disk, dir);
  const shards = directory.shards.map((look) => shardStatus(disk, directory, look, state, wallMs));
  const facts = { state, complete: copy.complete, holder, wallMs, shards };
  return stoppedValues(FOLLOWER_FIELDS, facts);
}

/** Of a follower that is seen to run and has not reached its leader yet: nothing is made, and nothing more is known. */
export function unreachedStatus(
  { pid, leader }: { readonly pid: number; readonly leader: string | null },
  wallMs: number,
): StatusDocument {
  const nothing = { state: null, complete: false, holder: null, wallMs, shards: [] };
  const status = stoppedValues(FOLLOWER_FIELDS, nothing);
  return { ...status, running: true, leader, verdict: "behind", pid };
}

function shardStatus(
  disk: Disk,
  directory: DatabaseDirectory,
  look: ShardLook,
  state: FollowerState | null,
  wallMs: number,
): ShardStatus {
  const { shard, header, headerFault } = look;
  const isSound = header !== null && headerFault === null;
  return stoppedValues(SHARD_FIELDS, {
    shard,
    saved: state?.shards.find((entry) => entry.shard === shard) ?? null,
    savedAtMs: savedTime(state, wallMs),
    wallMs,
    complete: directory.copy.shards[shard] ?? null,
    slots: isSound ? header.slotCount : null,
    occupied: isSound ? occupiedBySidecar(disk, look, slotCountOf(directory, look)) : null,
    cursor: look.cursor.bytes === null ? null : decodeCursor(look.cursor.bytes),
  });
}

/** A state file that cannot be read is one that says nothing. */
function readStateOrNull(disk: Disk, dir: string): FollowerState | null {
  try {
    return readState(disk, dir);
  } catch (thrown) {
    if (thrown instanceof DiskError) return null;
    throw thrown;
  }
}

/** OCCUPIED words of a sidecar that the crate would believe; null where there is none. */
function occupiedBySidecar(disk: Disk, look: ShardLook, slotCount: number): number | null {
  let occupied = 0;
  const { state } = lookAtSidecar(disk, look, slotCount, (words) => {
    for (let at = 0; at < words.length; at += 4) {
      if (statusOf(words[at] ?? 0) === STATUS_OCCUPIED) occupied++;
    }
  });
  return state === "valid" ? occupied : null;
}
