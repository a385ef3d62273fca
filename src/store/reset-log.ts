// Keeps what a leader's reset clears (wire.md: What else a follower needs) and what --accept-leader gives up: one JSON line a slot in
// DIR/armdb-reset-SHARD.log, durable before the slot is cleared. `armdb verify` tells of it (reset-saved).

import { join } from "node:path";
import { toHex } from "../bytes.ts";
import { decodeSlot, type SlotLayout } from "../format/slot.ts";
import type { Disk } from "../io/disk.ts";
import type { NewFileOwner } from "./ownership.ts";

/** `armdb-reset-3.log` */
function resetLogFile(shard: number): string {
  return `armdb-reset-${shard}.log`;
}

/** Whose doing it was that a slot went away. Lines of an earlier armdb do not say. */
export type SavedBy = "leader" | "accept-leader";

export interface SavedSlot {
  readonly slot: number;
  readonly bytes: Uint8Array;
}

/** Appends the slots and makes them durable. */
export function saveResetSlots(
  disk: Disk,
  dir: string,
  shard: number,
  layout: SlotLayout,
  owner: NewFileOwner,
  savedAtMs: number,
  by: SavedBy,
  slots: Iterable<SavedSlot>,
): void {
  const path = join(dir, resetLogFile(shard));
  const isNew = disk.facts(path) === null;
  const file = isNew ? disk.open(path, "create", owner.mode) : disk.open(path, "write");
  try {
    if (isNew && owner.uid !== null) file.own(owner.uid, owner.gid, owner.mode);
    let offset = file.size();
    for (const { slot, bytes } of slots) {
      const { version, key, value } = decodeSlot(bytes, layout);
      const line = { savedAtMs, shard, slot, version, by, key: toHex(key), value: toHex(value) };
      const text = Buffer.from(`${JSON.stringify(line)}\n`);
      file.write(text, offset);
      offset += text.length;
    }
    file.sync();
  } finally {
    file.close();
  }
  if (isNew) disk.syncDirectory(dir);
}
