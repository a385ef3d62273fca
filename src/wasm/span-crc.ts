// The crc32 that a span of neighbouring slots must have as it lies on disk, told from the slots' headers alone: each header
// holds the crc of its record, and crcs can be joined (crc32 is linear: what `n` more bytes do to a state is the product with
// x^8n). So one native call over the whole span takes the place of one for each record. A span with one wrong record never
// has the crc told here; with several it has it as rarely as a wrong record has its own. Padding and free slots, which no crc
// covers, are looked at in scan.ts all the same.
//
//   table    of a product with x^8n: 4 x 256 u32, one for each byte of a state

import {
  CHUNK_START,
  KEY_BYTES,
  PRODUCT_BODY,
  PRODUCT_PADDING,
  PRODUCT_SLOT,
  PRODUCTS_START,
  SLOT_BYTES,
  VALUE_BYTES,
} from "./cells";
import { DELETED, OCCUPIED, wordBeforeDelete } from "./crc";

const POLYNOMIAL: u32 = 0xedb88320;
/** As states are stored, the bit of x^0 is the highest. */
const ONE: u32 = 0x80000000;
const X_TO_8: u32 = 0x00800000;

/** Makes the tables for the layout in the cells. To be called before `spanCrc`. */
export function prepareSpans(): void {
  const products = load<u32>(PRODUCTS_START);
  const slotBytes = load<u32>(SLOT_BYTES);
  const recordBytes = 8 + load<u32>(KEY_BYTES) + load<u32>(VALUE_BYTES);
  fillTable(products + PRODUCT_SLOT, slotBytes);
  fillTable(products + PRODUCT_BODY, slotBytes - 4);
  fillTable(products + PRODUCT_PADDING, slotBytes - recordBytes);
}

/**
 * crc32 of the slots of the chunk from number `first` to before `end`, if each is as its header says: an OCCUPIED one has its
 * crc, a DELETED one that of the version before, and the body of any other is zero, as is all padding.
 */
export function spanCrc(first: u32, end: u32): u32 {
  const slotBytes = load<u32>(SLOT_BYTES);
  const products = load<u32>(PRODUCTS_START);
  let state: u32 = 0xffffffff;
  const chunk = load<u32>(CHUNK_START);
  const last = chunk + end * slotBytes;
  for (let at = chunk + first * slotBytes; at < last; at += slotBytes) {
    const word = load<u32>(at);
    const status = word & 3;
    state = product(products + PRODUCT_SLOT, state ^ word);
    if (status != OCCUPIED && status != DELETED) continue;
    // The record's crc, solved for what its key and value do to a state: that and the crc field are still to be added.
    const crc = load<u32>(at, 4);
    const written = status == OCCUPIED ? word : wordBeforeDelete(word);
    state ^= product(products + PRODUCT_BODY, crc ^ ~written);
    state ^= product(products + PRODUCT_PADDING, ~crc);
  }
  return ~state;
}

function product(table: u32, state: u32): u32 {
  return (
    load<u32>(table + ((state << 2) & 0x3fc)) ^
    load<u32>(table + ((state >> 6) & 0x3fc), 1024) ^
    load<u32>(table + ((state >> 14) & 0x3fc), 2048) ^
    load<u32>(table + ((state >> 22) & 0x3fc), 3072)
  );
}

function fillTable(table: u32, bytes: u32): void {
  let power = ONE;
  let factor = X_TO_8;
  for (let rest = bytes; rest != 0; rest >>= 1) {
    if (rest & 1) power = multiplied(power, factor);
    factor = multiplied(factor, factor);
  }
  for (let shift: u32 = 0; shift < 32; shift += 8) {
    store<u32>(table, 0);
    for (let byte: u32 = 1; byte < 256; byte++) {
      const low = byte & (0 - byte);
      const value =
        byte == low
          ? multiplied(power, byte << shift)
          : load<u32>(table + 4 * low) ^ load<u32>(table + 4 * (byte ^ low));
      store<u32>(table + 4 * byte, value);
    }
    table += 1024;
  }
}

/** The product of two polynomials, modulo that of crc32. */
function multiplied(left: u32, right: u32): u32 {
  let sum: u32 = 0;
  for (let bit = ONE; bit != 0; bit >>= 1) {
    if (left & bit) sum ^= right;
    right = (right >> 1) ^ (POLYNOMIAL & (0 - (right & 1)));
  }
  return sum;
}
