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
  const header = soundHeader(file, shard, layout);
  if (typeof header === "string") throw damagedShard(file.path, shard, header);
  return header;
}

/** The header, or what is wrong with it. */
export function soundHeader(
  file: DiskFile,
  shard: number,
  layout: SlotLayout | null,
): ShardHeader | string {
  const bytes = new Uint8Array(SHARD_HEADER_BYTES);
  const header = decodeShardHeader(bytes.subarray(0, file.read(bytes, 0)));
  if (header === null) return "the file ends inside its header";
  const fault = shardHeaderFault(header);
  if (fault === "magic") return "its header does not begin with FIXD";
  if (fault === "version") return `its header has version ${header.version}, 2 is wanted`;
  const { keyLen, valueLen, slotSize, slotCount, shardId } = header;
  const lengths = `keys of ${keyLen} and values of ${valueLen} bytes`;
  if (fault !== null) return `slot size ${slotSize} does not fit ${lengths}`;
  if (shardId !== shard) return `its header says shard ${shardId}`;
  if (layout !== null && (keyLen !== layout.keyLen || valueLen !== layout.valueLen)) {
    return `${lengths}, the other shards have ${layout.keyLen} and ${layout.valueLen}`;
  }
  const wantedBytes = shardFileBytes(slotCount, slotSize);
  if (file.size() < wantedBytes) {
    return `its header says ${slotCount} slots, ${wantedBytes} bytes; the file has ${file.size()}`;
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
