// A few live keys from the start of each shard: evidence for look/geometry.ts. Reads at most SAMPLE_BYTES a shard, takes only
// slots whose crc is right, and says nothing where a file cannot be read.

import { statusOf, slotCrc, STATUS_OCCUPIED, type SlotLayout } from "../../format/slot.ts";
import { SHARD_HEADER_BYTES } from "../../format/shard-header.ts";
import { viewOf } from "../../bytes.ts";
import type { Disk } from "../../io/disk.ts";
import type { ShardLook } from "./looks.ts";
import { readUpTo, tryDisk, withFile } from "./file-look.ts";

export interface KeySample {
  readonly key: Uint8Array;
  /** The directory in which it lies. */
  readonly shard: number;
}

const SAMPLE_BYTES = 64 * 1024;
const SAMPLE_BYTES_MAX = 1024 * 1024;
const KEYS_PER_SHARD_MAX = 64;

/** Live keys with a right crc, at most 64 a shard. */
export function sampleKeys(
  disk: Disk,
  looks: readonly ShardLook[],
  layout: SlotLayout,
): KeySample[] {
  return looks.flatMap((look) =>
    soundKeys(disk, look, layout).map((key) => ({ key, shard: look.shard })),
  );
}

function soundKeys(disk: Disk, look: ShardLook, layout: SlotLayout): Uint8Array[] {
  if (look.fileBytes <= SHARD_HEADER_BYTES) return [];
  let keys: Uint8Array[] = [];
  // The first slots are the first to be used; only where they are all free is it worth reading on.
  for (const bytes of [SAMPLE_BYTES, SAMPLE_BYTES_MAX]) {
    keys = keysIn(readFirst(disk, look, Math.max(bytes, layout.slotSize)), layout);
    if (keys.length > 0 || look.fileBytes <= SHARD_HEADER_BYTES + bytes) break;
  }
  return keys;
}

function readFirst(disk: Disk, look: ShardLook, bytes: number): Uint8Array {
  const [read] = tryDisk(() =>
    withFile(disk, look.data.path, (file) => readUpTo(file, SHARD_HEADER_BYTES, bytes)),
  );
  return read ?? new Uint8Array(0);
}

function keysIn(bytes: Uint8Array, layout: SlotLayout): Uint8Array[] {
  const keys: Uint8Array[] = [];
  const view = viewOf(bytes);
  for (
    let at = 0;
    at + layout.slotSize <= bytes.length && keys.length < KEYS_PER_SHARD_MAX;
    at += layout.slotSize
  ) {
    if (statusOf(view.getUint32(at, true)) !== STATUS_OCCUPIED) continue;
    const slot = bytes.subarray(at, at + layout.slotSize);
    if (slotCrc(slot, layout) !== view.getUint32(at + 4, true)) continue;
    keys.push(slot.slice(8, 8 + layout.keyLen));
  }
  return keys;
}
