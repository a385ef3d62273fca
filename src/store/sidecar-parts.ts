// The sidecar of a shard, from the table of its words: what closeClean writes, in parts, as a large shard's is megabytes. Used by
// shard-store.ts. Pure.

import { crc32 } from "node:zlib";
import { packMeta, STATUS_FREE, STATUS_INVALID, statusOf, versionOf } from "../format/slot.ts";
import { encodeSidecarTrailer } from "../format/versions-sidecar.ts";
import type { SlotTable } from "./slot-table.ts";

const SLOTS_A_PART = 64 * 1024;

/**
 * The words in memory. Of a slot that is not trusted `soundWord` says what the file holds: where it is sound (--accept-leader gave it
 * up, and the leader's record has not come) its own word; null: torn, FREE with its version, as the crate has it. A word that says less
 * than a sound slot would hide its record from the crate.
 */
export function* sidecarParts(
  table: SlotTable,
  soundWord: (slot: number) => number | null,
): Generator<Uint8Array> {
  let crc = 0;
  for (let first = 0; first < table.slotCount; first += SLOTS_A_PART) {
    const slots = Math.min(SLOTS_A_PART, table.slotCount - first);
    const part = new Uint8Array(slots * 4);
    const view = new DataView(part.buffer);
    for (let index = 0; index < slots; index++) {
      const word = table.word(first + index);
      const isTrusted = statusOf(word) !== STATUS_INVALID;
      const kept = isTrusted
        ? word
        : (soundWord(first + index) ?? packMeta(STATUS_FREE, versionOf(word)));
      view.setUint32(index * 4, kept, true);
    }
    crc = crc32(part, crc);
    yield part;
  }
  yield encodeSidecarTrailer(table.slotCount, crc);
}
