// Reads and judges the header of a shard that is about to be used (not merely looked at: audit does that, and reports
// everything it finds instead of refusing).

import { ArmdbError } from "../errors.ts";
import {
  decodeShardHeader,
  SHARD_HEADER_BYTES,
  type ShardHeader,
  shardFileBytes,
  shardHeaderFault,
} from "../format/shard-header.ts";
import type { SlotLayout } from "../format/slot.ts";
import type { DiskFile } from "../io/disk.ts";

/** Reads the header and holds it against the database's layout, the shard's number and the file's length. */
export function readShardHeader(
  file: DiskFile,
  shard: number,
  layout: SlotLayout | null,
): ShardHeader {
  const bytes = new Uint8Array(SHARD_HEADER_BYTES);
  const header = decodeShardHeader(bytes.subarray(0, file.read(bytes, 0)));
  if (header === null) throw damagedShard(file.path, shard, "the file ends inside its header");
  const fault = shardHeaderFault(header);
  if (fault !== null) {
    const what =
      fault === "magic"
        ? "its header does not begin with FIXD"
        : fault === "version"
          ? `its header has version ${header.version}, 2 is wanted`
          : `slot size ${header.slotSize} does not fit keys of ${header.keyLen} and values of ${header.valueLen} bytes`;
    throw damagedShard(file.path, shard, what);
  }
  if (header.shardId !== shard) {
    throw damagedShard(file.path, shard, `its header says shard ${header.shardId}`);
  }
  if (layout !== null && (header.keyLen !== layout.keyLen || header.valueLen !== layout.valueLen)) {
    throw damagedShard(
      file.path,
      shard,
      `keys of ${header.keyLen} and values of ${header.valueLen} bytes, ` +
        `the other shards have ${layout.keyLen} and ${layout.valueLen}`,
    );
  }
  const wantedBytes = shardFileBytes(header.slotCount, header.slotSize);
  if (file.size() < wantedBytes) {
    const what = `its header says ${header.slotCount} slots, ${wantedBytes} bytes; the file has ${file.size()}`;
    throw damagedShard(file.path, shard, what);
  }
  return header;
}

/** The error for a database that crates 0.1.7 to 0.1.12 wrote: another format of slots. */
export function olderFormat(path: string): ArmdbError {
  return new ArmdbError(
    "incompatible",
    `Cannot use "${path}": fixed.data version 1, as armdb 0.1.7 to 0.1.12 wrote it; version 2 is wanted`,
    { path, hint: "a program on the crate that wrote it; armdb reads what 0.1.13 to 0.15.0 write" },
  );
}

/** The error for bytes on disk that cannot be used to follow a leader. */
function damagedShard(path: string, shard: number, what: string): ArmdbError {
  return new ArmdbError("damaged", `Cannot use shard ${shard}, "${path}": ${what}`, {
    path,
    shard,
    hint: "armdb verify DIR says all that is wrong, armdb repair DIR what can be done",
  });
}
