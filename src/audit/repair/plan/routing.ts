// Shard count and prefix bits for a db.meta that has to be written again, the bits by trying which value routes all
// keys. Used by repair/plan/meta.ts. Reads keys of the shards. Promises: decides only when one value is right or it makes
// no difference; otherwise it says which values are possible.

import { shardOfKey } from "../../../format/routing.ts";
import {
  decodeSlot,
  isSlotSound,
  type SlotLayout,
  STATUS_OCCUPIED,
  statusOf,
} from "../../../format/slot.ts";
import type { Disk } from "../../../io/disk.ts";
import type { DatabaseDirectory } from "../../look/database-look.ts";
import { SlotReader, WINDOW_BYTES_SEQUENTIAL } from "../../look/slot-reader.ts";

/** Keys of each shard that are tried. */
const KEYS_PER_SHARD_MAX = 10_000;
/** Slots of each shard that are looked at for keys. */
const SLOTS_LOOKED_AT_MAX = 1_000_000;
/** Share of keys that may be in the wrong shard (they are damage of their own). */
const MISROUTED_SHARE_MAX = 0.2;

interface PlacedKey {
  readonly key: Uint8Array;
  readonly shard: number;
}

/** Prefix bits under which the keys lie where they should, fewest misrouted only, ascending; empty when none fits. */
export function possibleBits(
  disk: Disk,
  directory: DatabaseDirectory,
  layout: SlotLayout,
  shardCount: number,
): number[] {
  const keys = placedKeys(disk, directory, layout, shardCount);
  const bitsMax = Math.min(255, layout.keyLen * 8 - 1);
  let least = Math.floor(keys.length * MISROUTED_SHARE_MAX);
  let possible: number[] = [];
  for (let bits = 0; bits <= bitsMax; bits++) {
    const wrong = misrouted(keys, shardCount, bits, least);
    if (wrong > least) continue;
    if (wrong < least) possible = [];
    least = wrong;
    possible.push(bits);
  }
  return possible;
}

/** Stops counting past `max`. */
function misrouted(
  keys: readonly PlacedKey[],
  shardCount: number,
  bits: number,
  max: number,
): number {
  let count = 0;
  for (const { key, shard } of keys) {
    if (shardOfKey(key, shardCount, bits) !== shard) count++;
    if (count > max) return count;
  }
  return count;
}

function placedKeys(
  disk: Disk,
  directory: DatabaseDirectory,
  layout: SlotLayout,
  shardCount: number,
): PlacedKey[] {
  const placed: PlacedKey[] = [];
  for (const look of directory.shards) {
    if (look.shard >= shardCount || look.data.bytes === null) continue;
    const slots = Math.min(SLOTS_LOOKED_AT_MAX, Math.ceil(look.fileBytes / layout.slotSize));
    const reader = SlotReader.raw(disk, look.data.path, layout, slots, WINDOW_BYTES_SEQUENTIAL);
    try {
      let found = 0;
      for (let slot = 0; slot < reader.slotCount && found < KEYS_PER_SHARD_MAX; slot++) {
        const bytes = reader.slot(slot);
        if (bytes === null || statusOf(bytes[0] ?? 0) !== STATUS_OCCUPIED) continue;
        if (!isSlotSound(bytes, layout)) continue;
        placed.push({ key: decodeSlot(bytes, layout).key.slice(), shard: look.shard });
        found++;
      }
    } finally {
      reader.close();
    }
  }
  return placed;
}
