// What lies past the last slot that the header counts. A crash while growing leaves zeros there, which is legal; live
// records there mean that slot_count is wrong (format.md: fixed.data header, Growth). Used by scan/shard.ts.

import {
  decodeShardHeader,
  HEADER_FIELDS,
  SHARD_HEADER_BYTES,
  shardFileBytes,
  slotOffset,
} from "../../format/shard-header.ts";
import type { DiskFile } from "../../io/disk.ts";
import { readUpTo, tryDisk } from "../look/file-look.ts";
import type { FindingDraft } from "../findings.ts";
import type { ScanTask } from "./data.ts";
import { SlotChecker } from "./slot-check.ts";

/**
 * A finding when live records lie past the count, or it cannot be told whether some do; `grown` when a writer has raised
 * the count since; else null.
 */
export function liveSlotsPastCount(task: ScanTask, file: DiskFile): FindingDraft | "grown" | null {
  const { layout, slotCount, fileBytes } = task;
  if (fileBytes < shardFileBytes(slotCount + 1, layout.slotSize)) return null;
  const { live, errno } = countLive(task, file);
  if (live === 0) {
    if (errno === null) return null;
    const offset = shardFileBytes(slotCount, layout.slotSize);
    const message = `what lies past the last slot cannot be read: ${errno}`;
    return { kind: "unreadable", shard: task.shard, file: task.file, offset, message };
  }
  const [bytes] = tryDisk(() => readUpTo(file, 0, SHARD_HEADER_BYTES));
  const header = bytes === null ? null : decodeShardHeader(bytes);
  if (header !== null && header.slotCount > slotCount) return "grown";
  return {
    kind: "header-geometry",
    shard: task.shard,
    file: task.file,
    offset: HEADER_FIELDS.slotCount.offset,
    message: `slot_count is ${slotCount}, but ${live} live records lie past it in the file`,
  };
}

/** Live records past the count; `errno`: of the first place that could not be read. */
function countLive(
  { layout, slotCount, fileBytes }: ScanTask,
  file: DiskFile,
): { readonly live: number; readonly errno: string | null } {
  let errno: string | null = null;
  const end = Math.floor((fileBytes - SHARD_HEADER_BYTES) / layout.slotSize);
  const checker = new SlotChecker(layout, null);
  for (let first = slotCount; first < end; first += checker.slotsMax) {
    const slots = Math.min(checker.slotsMax, end - first);
    const bytes = checker.chunk.subarray(0, slots * layout.slotSize);
    const [got, error] = tryDisk(() => file.read(bytes, slotOffset(first, layout.slotSize)));
    errno ??= error?.errno ?? null;
    if (got !== null) checker.check(Math.floor(got / layout.slotSize));
  }
  return { live: checker.counts.occupied, errno };
}
