// The check of a chunk of whole slots as they lie on disk: what format/plain-slot-scanner.ts does in readable form, in one
// call (format.md: Slot).

import {
  CHUNK_START,
  COUNT_DAMAGED,
  COUNT_DELETED,
  COUNT_FREE,
  COUNT_OCCUPIED,
  CRCS_GIVEN,
  CRCS_SOUND,
  CRCS_START,
  FACT_BAD_CRC,
  FACT_BAD_STATUS,
  FACT_DELETED_CRC,
  FACT_FREE_NOT_EMPTY,
  FACT_FREE_VERSION,
  FACT_LIVE,
  FACT_MISROUTED,
  FACT_PADDING,
  FACTS_START,
  FINGERPRINTS_START,
  KEY_BYTES,
  ROUTING_SHARD_COUNT,
  SLOT_BYTES,
  VALUE_BYTES,
  VERSION_GREATEST,
  VERSION_LEAST,
} from "./cells";
import { DELETED, OCCUPIED, recordCrc, wordBeforeDelete } from "./crc";
import { isRoutedHere } from "./xxh3";

/**
 * Checks the slots of the chunk from number `first` to before `end`: leaves the facts of each, the fingerprints of the live
 * ones, and adds to counts and versions; returns all facts joined by `or`. `crcs` is one of CRCS_TAKEN, CRCS_GIVEN (the crcs
 * that the slots should have lie at CRCS_START) and CRCS_SOUND (all crcs are right: span-crc.ts).
 */
export function scan(first: u32, end: u32, crcs: u32): u32 {
  const slotBytes = load<u32>(SLOT_BYTES);
  const keyBytes = load<u32>(KEY_BYTES);
  const bodyBytes = keyBytes + load<u32>(VALUE_BYTES);
  const paddingShift: u64 = (bodyBytes + 16 - slotBytes) << 3;
  const isPadded = paddingShift < 64;
  const isRouted = load<u32>(ROUTING_SHARD_COUNT) > 0;
  const crcsGiven = load<u32>(CRCS_START);
  const factsStart = load<u32>(FACTS_START);
  const fingerprints = load<u32>(FINGERPRINTS_START);
  const isSound = crcs == CRCS_SOUND;
  let versionLeast = load<u32>(VERSION_LEAST);
  let versionGreatest = load<i32>(VERSION_GREATEST);
  let live: u32 = 0;
  let deleted: u32 = 0;
  let free: u32 = 0;
  let joined: u32 = 0;

  let at = load<u32>(CHUNK_START) + first * slotBytes;
  for (let index = first; index < end; index++) {
    const word = load<u32>(at);
    const status = word & 3;
    let facts: u32 = 0;
    if (status == OCCUPIED) {
      if (
        !isSound &&
        load<u32>(at, 4) != expectedCrc(crcs, crcsGiven + 4 * index, word, at + 8, bodyBytes)
      ) {
        facts = FACT_BAD_CRC;
      } else {
        live++;
        facts = FACT_LIVE;
        store<u64>(fingerprints + 8 * index, fingerprint(at + 8, keyBytes));
        if (isPadded && load<u64>(at + slotBytes - 8) >> paddingShift != 0) facts |= FACT_PADDING;
        if (isRouted && !isRoutedHere(at + 8)) facts |= FACT_MISROUTED;
      }
    } else if (status == DELETED) {
      deleted++;
      const written = wordBeforeDelete(word);
      if (
        !isSound &&
        load<u32>(at, 4) != expectedCrc(crcs, crcsGiven + 4 * index, written, at + 8, bodyBytes)
      )
        facts = FACT_DELETED_CRC;
      if (isPadded && load<u64>(at + slotBytes - 8) >> paddingShift != 0) facts |= FACT_PADDING;
    } else if (status == 0) {
      free++;
      if (!isEmpty(at, slotBytes)) facts = FACT_FREE_NOT_EMPTY;
      if (word != 0) facts |= FACT_FREE_VERSION;
    } else {
      facts = FACT_BAD_STATUS;
    }
    if (word != 0) {
      const version = word >> 2;
      versionLeast = min<u32>(versionLeast, version);
      versionGreatest = max<i32>(versionGreatest, version);
    }
    store<u8>(factsStart + index, facts);
    joined |= facts;
    at += slotBytes;
  }

  add(COUNT_OCCUPIED, live);
  add(COUNT_DELETED, deleted);
  add(COUNT_FREE, free);
  add(COUNT_DAMAGED, end - first - live - deleted - free);
  store<u32>(VERSION_LEAST, versionLeast);
  store<i32>(VERSION_GREATEST, versionGreatest);
  return joined;
}

function add(cell: u32, count: u32): void {
  store<u32>(cell, load<u32>(cell) + count);
}

function expectedCrc(crcs: u32, given: u32, written: u32, body: u32, bytes: u32): u32 {
  return crcs == CRCS_GIVEN ? load<u32>(given) : recordCrc(written, body, bytes);
}

/** True when all of a slot but its meta word is zero. */
function isEmpty(at: u32, bytes: u32): bool {
  let bits = load<u64>(at) >> 32;
  for (let offset: u32 = 8; offset < bytes; offset += 8) bits |= load<u64>(at + offset);
  return bits == 0;
}

/** Mixes the words of a key, of 8 bytes each: equal keys have equal fingerprints, others next to never. */
function fingerprint(at: u32, bytes: u32): u64 {
  let hash: u64 = 0x9e3779b97f4a7c15;
  const end = at + (bytes & ~7);
  for (; at < end; at += 8) hash = mixed(hash ^ load<u64>(at), 0x9fb21c651e98df25);
  const rest: u64 = bytes & 7;
  // A slot is a multiple of 8 bytes: what is cut off here still belongs to it.
  if (rest != 0)
    hash = mixed(hash ^ (load<u64>(at) & ((<u64>-1) >> (64 - 8 * rest))), 0x9fb21c651e98df25);
  return mixed(hash, 0xc4ceb9fe1a85ec53);
}

function mixed(hash: u64, factor: u64): u64 {
  hash *= factor;
  return hash ^ (hash >> 32);
}
