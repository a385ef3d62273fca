// Slots as a sound file has them, with random keys and values.

import { viewOf } from "../../src/bytes.ts";
import {
  encodeOccupiedSlot,
  packMeta,
  type SlotLayout,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_OCCUPIED,
  VERSION_MAX,
} from "../../src/format/slot.ts";
import type { Dice } from "./dice.ts";

function randomBytes(dice: Dice, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => dice.below(256));
}

/** A sound slot that holds a random key and value. */
export function occupiedSlot(dice: Dice, layout: SlotLayout, version: number): Uint8Array {
  const image = new Uint8Array(layout.slotSize);
  const key = randomBytes(dice, layout.keyLen);
  const value = randomBytes(dice, layout.valueLen);
  encodeOccupiedSlot(image, layout, packMeta(STATUS_OCCUPIED, version), key, value);
  return image;
}

/** A slot as a sound file has it, of any kind. */
export function soundSlot(dice: Dice, layout: SlotLayout): Uint8Array {
  const version = dice.pick([1, 2, 1000, VERSION_MAX - 1]);
  const image = dice.oneIn(4)
    ? new Uint8Array(layout.slotSize)
    : occupiedSlot(dice, layout, version);
  const view = viewOf(image);
  if (view.getUint32(0, true) === 0) {
    if (dice.oneIn(2)) view.setUint32(0, packMeta(STATUS_FREE, version), true);
  } else if (dice.oneIn(4)) view.setUint32(0, packMeta(STATUS_DELETED, version + 1), true);
  return image;
}
