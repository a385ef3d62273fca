// One batch against the table: the rules of replica/apply/batch-applier.ts, which plain-applier.ts holds in readable form, in one
// call. The events lie in the memory already, in an area of their own or, where an event is as long as a slot, where its image will
// stand: then only its first 8 bytes change. An image is never past its event, so moving forward is safe.
//
//   event  [slot u32][meta u32][key][value]
//   image  [meta u32][crc u32][key][value][padding]

import {
  ANSWER_APPLIED,
  ANSWER_GROW,
  ANSWER_SAVE_FIRST,
  ANSWER_STATUS_INVALID,
  ANSWER_TRUNCATED,
  ASCENDING,
  CLEARED,
  CRCS_START,
  DIFFERENCE_BYTES,
  DIFFERENCE_COUNT,
  DIFFERENCE_OLDER,
  DIFFERENCE_SAME_VERSION,
  DIFFERENCE_TAKEN,
  DIFFERENCES_START,
  FAULT_EVENT,
  GROUP_BYTES,
  IMAGES_START,
  INVALID_SLOT,
  KEY_BYTES,
  OCCUPIED,
  OPTION_CRCS_GIVEN,
  OPTION_PROTOCOL_2,
  OPTION_RESETS_SAVED,
  OPTION_SCAN,
  OPTION_TELL_TAKEN,
  PENDING_BYTES,
  REPLACED,
  RESET_COUNT,
  RESETS_START,
  RUN_BYTES,
  RUN_COUNT,
  RUNS_START,
  SEEN_OFFSET,
  SLOT_BYTES,
  SLOT_COUNT,
  SLOT_FIRST,
  SLOT_JOINING,
  SLOT_LAST,
  SLOT_MAX,
  SLOT_NONE,
  TABLE_START,
  TABLE_TOUCHED,
  TAKEN,
  TOUCHED_OFFSET,
  VALUE_BYTES,
  VERSION_MAX,
} from "./cells";
import { recordCrc } from "./crc";
import { touch } from "./touch";

const FREE: u32 = 0;
const OCCUPIED_STATUS: u32 = 1;
const INVALID: u32 = 3;
const VERSION_MASK: u32 = 0x3fffffff;
const VERSION_HALF: u32 = 0x20000000;

/**
 * Applies `count` events in [events, eventsEnd). With OPTION_CRCS_GIVEN the crc of each OCCUPIED event lies at CRCS_START,
 * in the place of its event. Unless it answers ANSWER_APPLIED, nothing has changed.
 */
export function apply(events: u32, eventsEnd: u32, count: u32, options: u32): u32 {
  const refused = check(events, eventsEnd, count, options);
  if (refused != ANSWER_APPLIED) return refused;
  if (count > 0 && load<u32>(SLOT_MAX) >= load<u32>(SLOT_COUNT)) return ANSWER_GROW;
  if ((options & OPTION_RESETS_SAVED) == 0 && load<u32>(RESET_COUNT) > 0) {
    if (findCopiesReset(events, count, options)) return ANSWER_SAVE_FIRST;
  }
  applyAll(events, count, options);
  return ANSWER_APPLIED;
}

/**
 * Every event's length and status; leaves the slots, and in RESET_COUNT how many events may clear a good copy unasked: FREE on
 * protocol 2, status 3 on protocol 1.
 */
function check(events: u32, eventsEnd: u32, count: u32, options: u32): u32 {
  const deadBytes = 8 + load<u32>(KEY_BYTES);
  const occupiedBytes = deadBytes + load<u32>(VALUE_BYTES);
  const isProtocol2 = (options & OPTION_PROTOCOL_2) != 0;
  const freeBytes = isProtocol2 ? 8 : deadBytes;
  let slotMax: u32 = 0;
  let slotBefore: u32 = 0;
  let ascending: u32 = 1;
  let invalidSlot = SLOT_NONE;
  let resets: u32 = 0;
  let at = events;
  for (let event: u32 = 0; event < count; event++) {
    if (at + 8 > eventsEnd) return refuse(ANSWER_TRUNCATED, event);
    const slot = load<u32>(at);
    const status = load<u8>(at, 4) & 3;
    if (status == OCCUPIED_STATUS) {
      at += occupiedBytes;
    } else if (status == INVALID) {
      if (isProtocol2) return refuse(ANSWER_STATUS_INVALID, event);
      if (invalidSlot == SLOT_NONE) invalidSlot = slot;
      at += deadBytes;
      resets++;
    } else if (status == FREE) {
      at += freeBytes;
      if (isProtocol2) resets++;
    } else {
      at += deadBytes;
    }
    if (at > eventsEnd) return refuse(ANSWER_TRUNCATED, event);
    if (slot > slotMax) slotMax = slot;
    if (event == 0) store<u32>(SLOT_FIRST, slot);
    else if (slot <= slotBefore) ascending = 0;
    slotBefore = slot;
  }
  store<u32>(SLOT_MAX, slotMax);
  store<u32>(SLOT_LAST, slotBefore);
  store<u32>(ASCENDING, ascending);
  store<u32>(INVALID_SLOT, invalidSlot);
  store<u32>(RESET_COUNT, resets);
  return ANSWER_APPLIED;
}

function refuse(answer: u32, event: u32): u32 {
  store<u32>(FAULT_EVENT, event);
  return answer;
}

/** Lists at RESETS_START the good copies that what `check` counted would clear; true when there are any. */
function findCopiesReset(events: u32, count: u32, options: u32): bool {
  const isProtocol2 = (options & OPTION_PROTOCOL_2) != 0;
  const clears = isProtocol2 ? FREE : INVALID;
  const deadBytes = 8 + load<u32>(KEY_BYTES);
  const occupiedBytes = deadBytes + load<u32>(VALUE_BYTES);
  const table = load<u32>(TABLE_START);
  const resets = load<u32>(RESETS_START);
  let found: u32 = 0;
  let at = events;
  for (let event: u32 = 0; event < count; event++) {
    const slot = load<u32>(at);
    const meta = load<u32>(at, 4);
    const status = meta & 3;
    if (status == OCCUPIED_STATUS) at += occupiedBytes;
    else at += status == FREE && isProtocol2 ? 8 : deadBytes;
    if (status != clears) continue;
    const here = load<u32>(entryOf(table, slot));
    if ((here & 3) != OCCUPIED_STATUS) continue;
    const ahead = versionsAhead(meta, here);
    // A reset of the same version is taken; a delete has to be newer.
    if (ahead < VERSION_HALF && (isProtocol2 || ahead > 0)) {
      store<u32>(resets + 4 * found++, slot);
    }
  }
  store<u32>(RESET_COUNT, found);
  return found > 0;
}

function applyAll(events: u32, count: u32, options: u32): void {
  const keyBytes = load<u32>(KEY_BYTES);
  const bodyBytes = keyBytes + load<u32>(VALUE_BYTES);
  const slotBytes = load<u32>(SLOT_BYTES);
  const table = load<u32>(TABLE_START);
  const crcs = load<u32>(CRCS_START);
  const images = load<u32>(IMAGES_START);
  const crcsGiven = (options & OPTION_CRCS_GIVEN) != 0;
  const isScan = (options & OPTION_SCAN) != 0;
  const tellsTaken = (options & OPTION_TELL_TAKEN) != 0;
  const isProtocol2 = (options & OPTION_PROTOCOL_2) != 0;
  const freeBytes = isProtocol2 ? 8 : 8 + keyBytes;
  const markOffset = isScan ? SEEN_OFFSET : TOUCHED_OFFSET;
  let run = load<u32>(RUNS_START) + RUN_BYTES * load<u32>(RUN_COUNT);
  let slotJoining = load<u32>(SLOT_JOINING);
  let image = images + load<u32>(PENDING_BYTES);
  let difference = load<u32>(DIFFERENCES_START);
  let occupied = load<u32>(OCCUPIED);
  let taken: u32 = 0;
  let replaced: u32 = 0;
  let cleared: u32 = 0;
  let versionMax: i32 = -1;
  let touched = load<u32>(TABLE_TOUCHED);

  let at = events;
  for (let event: u32 = 0; event < count; event++) {
    const slot = load<u32>(at);
    let meta = load<u32>(at, 4);
    // Protocol 1: whatever is not OCCUPIED is a delete, status 3 too.
    if ((meta & 3) == INVALID) meta ^= 1;
    const status = meta & 3;
    const source = at;
    at += status == OCCUPIED_STATUS ? 8 + bodyBytes : status == FREE ? freeBytes : 8 + keyBytes;

    const group = table + (slot >> 5) * GROUP_BYTES;
    if (group + GROUP_BYTES > touched) {
      touch(slot);
      touched = load<u32>(TABLE_TOUCHED);
    }
    const mark = group + markOffset;
    store<u32>(mark, load<u32>(mark) | (1 << (slot & 31)));
    const entry = entryOf(table, slot);
    const here = load<u32>(entry);
    const statusHere = here & 3;

    // What is here decides first: a torn slot is older than anything, then the versions.
    let isEqualVersion = false;
    if (here == 0) {
      if (meta == 0) continue;
    } else if (statusHere != INVALID) {
      const ahead = versionsAhead(meta, here);
      if (ahead >= VERSION_HALF) {
        if (isScan) difference = note(difference, slot, here, meta, DIFFERENCE_OLDER);
        continue;
      }
      isEqualVersion = ahead == 0;
    }
    let crc: u32 = 0;
    if (status == OCCUPIED_STATUS) {
      crc = crcsGiven ? load<u32>(crcs + 4 * event) : recordCrc(meta, source + 8, bodyBytes);
    }
    if (isEqualVersion) {
      if (status == OCCUPIED_STATUS && statusHere == OCCUPIED_STATUS) {
        if (crc == load<u32>(entry, 4)) continue;
      } else if (status != OCCUPIED_STATUS) {
        if (statusHere == FREE) continue;
        if (statusHere != OCCUPIED_STATUS && !(isProtocol2 && status == FREE)) continue;
      }
      if (!isProtocol2) {
        if (isScan) difference = note(difference, slot, here, meta, DIFFERENCE_SAME_VERSION);
        continue;
      }
      if (status != FREE) replaced++;
    }

    taken++;
    if (tellsTaken) difference = note(difference, slot, here, meta, DIFFERENCE_TAKEN);
    versionMax = max<i32>(versionMax, meta >> 2);
    store<u32>(entry, meta);
    store<u32>(entry, crc, 4);
    if (statusHere == OCCUPIED_STATUS) {
      occupied--;
      if (status != OCCUPIED_STATUS) cleared++;
    }
    if (status != OCCUPIED_STATUS) {
      store<u32>(image, meta);
      run = pushRun(run, slot, image, 4);
      slotJoining = SLOT_NONE;
      image += 4;
      continue;
    }
    occupied++;
    if (image != source) copyBody(image + 8, source + 8, bodyBytes, slotBytes - 8);
    store<u32>(image, meta);
    store<u32>(image, crc, 4);
    if (slot == slotJoining) {
      store<u32>(run - RUN_BYTES, load<u32>(run - RUN_BYTES, 8) + slotBytes, 8);
    } else {
      run = pushRun(run, slot, image, slotBytes);
    }
    slotJoining = slot + 1;
    image += slotBytes;
  }

  store<u32>(RUN_COUNT, (run - load<u32>(RUNS_START)) / RUN_BYTES);
  store<u32>(SLOT_JOINING, slotJoining);
  store<u32>(PENDING_BYTES, image - images);
  store<u32>(DIFFERENCE_COUNT, (difference - load<u32>(DIFFERENCES_START)) / DIFFERENCE_BYTES);
  store<u32>(OCCUPIED, occupied);
  store<u32>(TAKEN, taken);
  store<u32>(REPLACED, replaced);
  store<u32>(CLEARED, cleared);
  store<i32>(VERSION_MAX, versionMax);
}

/** Address of a slot's [meta word, crc] in the table. */
function entryOf(table: u32, slot: u32): u32 {
  return table + (slot >> 5) * GROUP_BYTES + ((slot & 31) << 3);
}

/** By how much the version of `meta` is ahead in the ring of 2^30; from VERSION_HALF on it is behind. */
function versionsAhead(meta: u32, here: u32): u32 {
  return ((meta >> 2) - (here >> 2)) & VERSION_MASK;
}

/** Notes a difference; returns where the next one goes. */
function note(at: u32, slot: u32, here: u32, meta: u32, kind: u32): u32 {
  store<u32>(at, slot);
  store<u32>(at, here, 4);
  store<u32>(at, meta, 8);
  store<u32>(at, kind, 12);
  return at + DIFFERENCE_BYTES;
}

/** Begins a run of writes; returns where the next one goes. */
function pushRun(at: u32, slot: u32, image: u32, bytes: u32): u32 {
  store<u32>(at, slot);
  store<u32>(at, image, 4);
  store<u32>(at, bytes, 8);
  return at + RUN_BYTES;
}

/**
 * Key and value, then the zeros of the padding up to a multiple of 8. A native copy from 64 bytes on: 8 % of the whole at
 * 16x100, where each image is made away from its event. Only images without padding are made where they are, so the zeros
 * never fall on an event.
 */
function copyBody(to: u32, from: u32, bytes: u32, paddedBytes: u32): void {
  const last = paddedBytes - 8;
  if (paddedBytes >= 64) {
    if (bytes != paddedBytes) store<u64>(to + last, 0);
    memory.copy(to, from, bytes);
    return;
  }
  for (let offset: u32 = 0; offset < last; offset += 8) {
    store<u64>(to + offset, load<u64>(from + offset));
  }
  const word = load<u64>(from + last);
  const bits = (paddedBytes - bytes) << 3;
  store<u64>(to + last, (word << bits) >> bits);
}
