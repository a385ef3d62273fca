// The search for fingerprints that come twice: what audit/scan/sorting-duplicate-pass.ts does in readable form. Pairs of the lower
// half of a fingerprint and its slot are dealt into buckets by the first bits of the upper half as they come; at the end each
// bucket, which fits the cache, goes through a hash table. So bits that are not kept tell keys apart too.
//
//   bucket  [end of its last pair u32, 0 when it has none][pairs u32]
//   block   4096 bytes at a multiple of 4096: [the block before it u32, 0 for none][u32 of `thin`] 511 x [lower half u32, slot u32]
//           a block that is free: [another one u32, 0 for none]
//   cell    of the hash table: address of the first pair with a lower half, 0 when it is empty

import {
  BLOCK_BYTES,
  BLOCK_HEADER_BYTES,
  BLOCKS_END,
  BLOCKS_LIMIT,
  BUCKET_BYTES,
  BUCKET_SHIFT,
  BUCKETS_START,
  DOUBLE_BYTES,
  DOUBLES_START,
  FACT_LIVE,
  FACTS_START,
  FINGERPRINTS_START,
  HASH_MASK,
  HASH_START,
  PAIR_BYTES,
  FREE_BLOCK,
  PART,
  PARTS,
} from "./cells";

/**
 * Deals the live slots from `from` on of a checked chunk of `slots` slots, the first of which is slot `first`. Returns where
 * it ended: before `slots` when the next block would be past BLOCKS_LIMIT.
 */
export function deal(from: u32, slots: u32, first: u32): u32 {
  const facts = load<u32>(FACTS_START);
  const fingerprints = load<u32>(FINGERPRINTS_START);
  const part = load<u32>(PART);
  const mask = load<u32>(PARTS) - 1;
  const buckets = load<u32>(BUCKETS_START);
  const shift = load<u32>(BUCKET_SHIFT);
  for (let index = from; index < slots; index++) {
    if ((load<u8>(facts + index) & FACT_LIVE) == 0) continue;
    const half = load<u32>(fingerprints + 8 * index);
    if ((half & mask) != part) continue;
    const bucket = buckets + BUCKET_BYTES * (load<u32>(fingerprints + 8 * index, 4) >> shift);
    let end = load<u32>(bucket);
    if ((end & (BLOCK_BYTES - 1)) == 0) {
      const block = takeBlock();
      if (block == 0) return index;
      store<u32>(block, end == 0 ? 0 : end - BLOCK_BYTES);
      end = block + BLOCK_HEADER_BYTES;
    }
    store<u32>(end, half);
    store<u32>(end, first + index, 4);
    store<u32>(bucket, end + PAIR_BYTES);
    store<u32>(bucket, load<u32>(bucket, 4) + 1, 4);
  }
  return slots;
}

/** A block that holds nothing, 0 where there is no room for another. */
function takeBlock(): u32 {
  const free = load<u32>(FREE_BLOCK);
  if (free != 0) {
    store<u32>(FREE_BLOCK, load<u32>(free));
    return free;
  }
  const block = load<u32>(BLOCKS_END);
  if (block + BLOCK_BYTES > load<u32>(BLOCKS_LIMIT)) return 0;
  store<u32>(BLOCKS_END, block + BLOCK_BYTES);
  return block;
}

/**
 * Drops the pairs of a bucket that do not belong to PART of PARTS, parts being a power of two, and frees the blocks that are
 * left empty. The chain is read from its last block on and written in the same blocks behind: each keeps in its second word
 * which one was before it, as the first word comes to name the one that is full before it now.
 */
export function thin(number: u32): void {
  const part = load<u32>(PART);
  const mask = load<u32>(PARTS) - 1;
  const bucket = load<u32>(BUCKETS_START) + BUCKET_BYTES * number;
  let end = load<u32>(bucket);
  if (end == 0) return;

  let block = (end - 1) & ~(BLOCK_BYTES - 1);
  let into = block;
  let full: u32 = 0;
  let at = into + BLOCK_HEADER_BYTES;
  let pairs: u32 = 0;
  while (true) {
    const before = load<u32>(block);
    store<u32>(block, before, 4);
    for (let from = block + BLOCK_HEADER_BYTES; from < end; from += PAIR_BYTES) {
      const half = load<u32>(from);
      if ((half & mask) != part) continue;
      if (at == into + BLOCK_BYTES) {
        store<u32>(into, full);
        full = into;
        into = load<u32>(into, 4);
        at = into + BLOCK_HEADER_BYTES;
      }
      const slot = load<u32>(from, 4);
      store<u32>(at, half);
      store<u32>(at, slot, 4);
      at += PAIR_BYTES;
      pairs += 1;
    }
    if (before == 0) break;
    block = before;
    end = before + BLOCK_BYTES;
  }

  let left = pairs == 0 ? into : load<u32>(into, 4);
  if (pairs != 0) store<u32>(into, full);
  store<u32>(bucket, pairs == 0 ? 0 : at);
  store<u32>(bucket, pairs, 4);
  while (left != 0) {
    const next = load<u32>(left, 4);
    store<u32>(left, load<u32>(FREE_BLOCK));
    store<u32>(FREE_BLOCK, left);
    left = next;
  }
}

/**
 * Leaves at DOUBLES_START, for each pair of a bucket whose lower half has come before, the slot that it came with first, and
 * its own. Returns how many.
 */
export function findDoubles(number: u32): u32 {
  const hash = load<u32>(HASH_START);
  const mask = load<u32>(HASH_MASK);
  const doubles = load<u32>(DOUBLES_START);
  let double = doubles;

  memory.fill(hash, 0, mask + 4);
  let end = load<u32>(load<u32>(BUCKETS_START) + BUCKET_BYTES * number);
  while (end != 0) {
    const block = (end - 1) & ~(BLOCK_BYTES - 1);
    for (let at = block + BLOCK_HEADER_BYTES; at < end; at += PAIR_BYTES) {
      const half = load<u32>(at);
      let cell = (half << 2) & mask;
      let found = load<u32>(hash + cell);
      while (found != 0 && load<u32>(found) != half) {
        cell = (cell + 4) & mask;
        found = load<u32>(hash + cell);
      }
      if (found == 0) {
        store<u32>(hash + cell, at);
      } else {
        store<u32>(double, load<u32>(found, 4));
        store<u32>(double, load<u32>(at, 4), 4);
        double += DOUBLE_BYTES;
      }
    }
    const before = load<u32>(block);
    end = before == 0 ? 0 : before + BLOCK_BYTES;
  }
  return (double - doubles) / DOUBLE_BYTES;
}
