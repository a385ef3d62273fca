// The check of a chunk of whole slots as they lie on disk (format.md: Slot; format/slot-scanner.ts has the contract).

import {
  CHUNK_START,
  CRCS_START,
  DELETED_COUNT,
  EXCEPTION_BYTES,
  EXCEPTION_COUNT,
  EXCEPTIONS_START,
  FLAG_CRC,
  FLAG_FREE_NOT_EMPTY,
  FLAG_PADDING,
  FLAG_STATUS,
  FREE_COUNT,
  KEY_BYTES,
  OCCUPIED_COUNT,
  SLOT_BYTES,
  VALUE_BYTES,
  WORDS_START,
} from "./cells";
import { recordCrc } from "./crc";

/**
 * Checks the first `slots` slots of the chunk; leaves a word and a crc of each, the exceptions and the counts. With
 * `crcsGiven` the crcs of the OCCUPIED slots lie at CRCS_START already.
 */
export function scan(slots: u32, crcsGiven: bool): void {
  const slotBytes = load<u32>(SLOT_BYTES);
  const bodyBytes = load<u32>(KEY_BYTES) + load<u32>(VALUE_BYTES);
  const paddingBytes = slotBytes - 8 - bodyBytes;
  const words = load<u32>(WORDS_START);
  const crcs = load<u32>(CRCS_START);
  const exceptions = load<u32>(EXCEPTIONS_START);
  let exception = exceptions;
  let free: u32 = 0;
  let occupied: u32 = 0;
  let deleted: u32 = 0;
  let at = load<u32>(CHUNK_START);
  for (let index: u32 = 0; index < slots; index++) {
    const word = load<u32>(at);
    const status = word & 3;
    let crc: u32 = 0;
    let flags: u32 = 0;
    if (status == 1) {
      occupied++;
      crc = load<u32>(at, 4);
      const right = crcsGiven ? load<u32>(crcs + 4 * index) : recordCrc(word, at + 8, bodyBytes);
      if (crc != right) flags = FLAG_CRC;
    } else if (status == 0) {
      free++;
      if (!isZero(at, slotBytes)) flags = FLAG_FREE_NOT_EMPTY;
    } else if (status == 2) {
      deleted++;
    } else {
      flags = FLAG_STATUS;
    }
    const end = at + slotBytes;
    if (paddingBytes > 0 && load<u64>(end - 8) >> ((8 - paddingBytes) << 3) != 0) {
      flags |= FLAG_PADDING;
    }
    store<u32>(words + 4 * index, word);
    store<u32>(crcs + 4 * index, crc);
    if (flags != 0) {
      store<u32>(exception, index);
      store<u32>(exception, flags, 4);
      exception += EXCEPTION_BYTES;
    }
    at = end;
  }
  store<u32>(FREE_COUNT, free);
  store<u32>(OCCUPIED_COUNT, occupied);
  store<u32>(DELETED_COUNT, deleted);
  store<u32>(EXCEPTION_COUNT, (exception - exceptions) / EXCEPTION_BYTES);
}

/** True when all of a slot, a multiple of 8 bytes, is zero. */
function isZero(at: u32, bytes: u32): bool {
  let bits: u64 = 0;
  for (let offset: u32 = 0; offset < bytes; offset += 8) bits |= load<u64>(at + offset);
  return bits == 0;
}
