// The SlotScanner in plain TypeScript: the readable form of the checks, used for single slots and where WebAssembly cannot
// have its memory.

import { isZero, viewOf } from "../bytes.ts";
import { shardOfKey } from "./routing.ts";
import {
  decodeSlot,
  packMeta,
  SLOT_CRC_OFFSET,
  SLOT_KEY_OFFSET,
  SLOT_META_OFFSET,
  type Slot,
  type SlotLayout,
  slotCrc,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_INVALID,
  STATUS_OCCUPIED,
  VERSION_MAX,
} from "./slot.ts";
import {
  type ChunkSummary,
  type RoutingCheck,
  SLOT_BAD_CRC,
  SLOT_BAD_STATUS,
  SLOT_DELETED_CRC,
  SLOT_FREE_NOT_EMPTY,
  SLOT_FREE_VERSION,
  SLOT_LIVE,
  SLOT_MISROUTED,
  SLOT_PADDING,
  type SlotScanner,
} from "./slot-scanner.ts";

export class PlainSlotScanner implements SlotScanner {
  readonly layout: SlotLayout;
  readonly slotsMax: number;
  readonly chunk: Uint8Array;
  readonly words: Uint32Array;
  readonly facts: Uint8Array;
  readonly fingerprints: BigUint64Array;
  readonly #routing: RoutingCheck | null;

  constructor(layout: SlotLayout, routing: RoutingCheck | null, slotsMax: number) {
    this.layout = layout;
    this.slotsMax = slotsMax;
    this.chunk = new Uint8Array(slotsMax * layout.slotSize);
    this.words = new Uint32Array(this.chunk.buffer);
    this.facts = new Uint8Array(slotsMax);
    this.fingerprints = new BigUint64Array(slotsMax);
    this.#routing = routing;
  }

  scan(slots: number): ChunkSummary {
    const counts = { occupied: 0, deleted: 0, free: 0, damaged: 0 };
    let joined = 0;
    let versionMin = VERSION_MAX;
    let versionMax = -1;
    for (let index = 0; index < slots; index++) {
      const start = index * this.layout.slotSize;
      const bytes = this.chunk.subarray(start, start + this.layout.slotSize);
      const slot = decodeSlot(bytes, this.layout);
      const facts = this.#check(bytes, slot);
      this.facts[index] = facts;
      joined |= facts;
      if ((facts & SLOT_LIVE) !== 0) {
        this.fingerprints[index] = keyFingerprint(slot.key);
        counts.occupied++;
      } else if (slot.status === STATUS_DELETED) counts.deleted++;
      else if (slot.status === STATUS_FREE) counts.free++;
      else counts.damaged++;
      if (slot.meta === 0) continue;
      versionMin = Math.min(versionMin, slot.version);
      versionMax = Math.max(versionMax, slot.version);
    }
    return { facts: joined, ...counts, versionMin, versionMax };
  }

  #check(bytes: Uint8Array, slot: Slot): number {
    const padding = isZero(slot.padding) ? 0 : SLOT_PADDING;
    switch (slot.status) {
      case STATUS_OCCUPIED:
        if (slotCrc(bytes, this.layout) !== slot.crcStored) return SLOT_BAD_CRC;
        return SLOT_LIVE | padding | (this.#isMisrouted(slot.key) ? SLOT_MISROUTED : 0);
      case STATUS_DELETED:
        return padding | (this.#crcBeforeDelete(bytes) === slot.crcStored ? 0 : SLOT_DELETED_CRC);
      case STATUS_FREE:
        return (
          (isZero(bytes, SLOT_CRC_OFFSET) ? 0 : SLOT_FREE_NOT_EMPTY) |
          (slot.meta === 0 ? 0 : SLOT_FREE_VERSION)
        );
      case STATUS_INVALID:
        return SLOT_BAD_STATUS;
    }
  }

  #isMisrouted(key: Uint8Array): boolean {
    const routing = this.#routing;
    if (routing === null) return false;
    return shardOfKey(key, routing.shardCount, routing.shardPrefixBits) !== routing.shard;
  }

  /** The crc of the write that a delete covered: OCCUPIED, one version back. */
  #crcBeforeDelete(bytes: Uint8Array): number {
    const before = bytes.slice(0, SLOT_KEY_OFFSET + this.layout.keyLen + this.layout.valueLen);
    const view = viewOf(before);
    const version = view.getUint32(SLOT_META_OFFSET, true) >>> 2;
    const versionBefore = (version - 1) & VERSION_MAX;
    view.setUint32(SLOT_META_OFFSET, packMeta(STATUS_OCCUPIED, versionBefore), true);
    return slotCrc(before, this.layout);
  }
}

/** Mixes the words of 8 bytes of a key; its last one is filled up with zeros. */
function keyFingerprint(key: Uint8Array): bigint {
  let hash = 0x9e3779b97f4a7c15n;
  for (let at = 0; at < key.length; at += 8) {
    let word = 0n;
    for (let byte = 7; byte >= 0; byte--) word = (word << 8n) | BigInt(key[at + byte] ?? 0);
    hash = mixed(hash ^ word, 0x9fb21c651e98df25n);
  }
  return mixed(hash, 0xc4ceb9fe1a85ec53n);
}

function mixed(hash: bigint, factor: bigint): bigint {
  const product = BigInt.asUintN(64, hash * factor);
  return product ^ (product >> 32n);
}
