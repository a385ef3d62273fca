// crc32 (IEEE) of a record, slice-by-16: sixteen tables of 1 KiB, sixteen bytes a step. Used for records that are too
// short for a native call each (see CRC_NATIVE_BYTES_MIN in format/wasm-kernel.ts).

import { CRC_TABLES } from "./cells";

/** Statuses of the slots that have a crc. */
export const OCCUPIED: u32 = 1;
export const DELETED: u32 = 2;

/** Fills the sixteen tables; table n is the crc of a byte with n zero bytes behind it. */
export function buildTables(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xedb88320 & (0 - (crc & 1)));
    store<u32>(byte << 2, crc, CRC_TABLES);
  }
  for (let offset: u32 = 1024; offset < 16 * 1024; offset += 4) {
    const crc = load<u32>(offset - 1024, CRC_TABLES);
    store<u32>(offset, (crc >> 8) ^ load<u32>((crc & 255) << 2, CRC_TABLES), CRC_TABLES);
  }
}

/**
 * crc32 of the 4 bytes of `meta` and then `bytes` bytes at `body`, which is how it is stored in a slot. The bytes that are
 * no multiple of 16 come first, so that the rest is whole steps. Index bytes by shift and mask: 5 % faster here than
 * loading each by itself.
 */
export function recordCrc(meta: u32, body: u32, bytes: u32): u32 {
  let crc = four3(~meta);
  let at = body;
  const end = body + bytes;
  if (bytes & 8) {
    crc = four7(crc ^ load<u32>(at)) ^ four3(load<u32>(at, 4));
    at += 8;
  }
  if (bytes & 4) {
    crc = four3(crc ^ load<u32>(at));
    at += 4;
  }
  for (let rest = bytes & 3; rest > 0; rest--) {
    crc = (crc >> 8) ^ load<u32>(((crc ^ load<u8>(at)) << 2) & 0x3fc, CRC_TABLES);
    at++;
  }
  while (at < end) {
    crc =
      four15(crc ^ load<u32>(at)) ^
      four11(load<u32>(at, 4)) ^
      four7(load<u32>(at, 8)) ^
      four3(load<u32>(at, 12));
    at += 16;
  }
  return ~crc;
}

/** OCCUPIED, one version back: the meta word that the crc of a DELETED slot was made with. */
export function wordBeforeDelete(word: u32): u32 {
  return (word & ~3) - 4 + OCCUPIED;
}

/** A word whose first byte has 15 bytes behind it in the step, its last one 12. */
function four15(word: u32): u32 {
  return (
    load<u32>((word << 2) & 0x3fc, CRC_TABLES + 15 * 1024) ^
    load<u32>((word >> 6) & 0x3fc, CRC_TABLES + 14 * 1024) ^
    load<u32>((word >> 14) & 0x3fc, CRC_TABLES + 13 * 1024) ^
    load<u32>((word >> 22) & 0x3fc, CRC_TABLES + 12 * 1024)
  );
}

function four11(word: u32): u32 {
  return (
    load<u32>((word << 2) & 0x3fc, CRC_TABLES + 11 * 1024) ^
    load<u32>((word >> 6) & 0x3fc, CRC_TABLES + 10 * 1024) ^
    load<u32>((word >> 14) & 0x3fc, CRC_TABLES + 9 * 1024) ^
    load<u32>((word >> 22) & 0x3fc, CRC_TABLES + 8 * 1024)
  );
}

function four7(word: u32): u32 {
  return (
    load<u32>((word << 2) & 0x3fc, CRC_TABLES + 7 * 1024) ^
    load<u32>((word >> 6) & 0x3fc, CRC_TABLES + 6 * 1024) ^
    load<u32>((word >> 14) & 0x3fc, CRC_TABLES + 5 * 1024) ^
    load<u32>((word >> 22) & 0x3fc, CRC_TABLES + 4 * 1024)
  );
}

function four3(word: u32): u32 {
  return (
    load<u32>((word << 2) & 0x3fc, CRC_TABLES + 3 * 1024) ^
    load<u32>((word >> 6) & 0x3fc, CRC_TABLES + 2 * 1024) ^
    load<u32>((word >> 14) & 0x3fc, CRC_TABLES + 1 * 1024) ^
    load<u32>((word >> 22) & 0x3fc, CRC_TABLES)
  );
}
