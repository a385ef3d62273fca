// The sidecar of a shard, from the table of its words: what closeClean writes, in parts, as a large shard's is megabytes. Used by
// shard-store.ts. Pure.

import { crc32 } from "node:zlib";
import { packMeta, STATUS_FREE, STATUS_INVALID, statusOf, versionOf } from "../format/slot.ts";
import { encodeSidecarTrailer } from "../format/versions-sidecar.ts";
import type { SlotTable } from "./slot-table.ts";

const SLOTS_A_PART = 64 * 1024;

/** The words in memory; a slot that is not to be trusted is FREE there with its version, as the crate has it. */
export function* sidecarParts(table: SlotTable): Generator<Uint8Array> {
  let crc = 0;
  for (let first = 0; first < table.slotCount; first += SLOTS_A_PART) {
    const slots = Math.min(SLOTS_A_PART, table.slotCount - first);
    const part = new Uint8Array(slots * 4);
    const view = new DataView(part.buffer);
    for (let index = 0; index < slots; index++) {
      const word = table.word(first + index);
      const kept =
        statusOf(word) === STATUS_INVALID ? packMeta(STATUS_FREE, versionOf(word)) : word;
      view.setUint32(index * 4, kept, true);
    }
    crc = crc32(part, crc);
    yield part;
  }
  yield encodeSidecarTrailer(table.slotCount, crc);
}
