// The search for fingerprints that come twice: what audit/sorting-duplicate-pass.ts does in readable form. Pairs of the lower
// half of a fingerprint and its slot are dealt into buckets by the first bits of the upper half as they come; at the end each
// bucket, which fits the cache, goes through a hash table. So bits that are not kept tell keys apart too.
//
//   bucket  [end of its last pair u32, 0 when it has none][pairs u32]
//   block   4096 bytes at a multiple of 4096: [the block before it u32, 0 for none][unused u32] 511 x [lower half u32, slot u32]
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
  PASS,
  PASSES,
} from "./cells";

/**
 * Deals the live slots from `from` on of a checked chunk of `slots` slots, the first of which is slot `first`. Returns where
 * it ended: before `slots` when the next block would be past BLOCKS_LIMIT.
 */
export function deal(from: u32, slots: u32, first: u32): u32 {
  const facts = load<u32>(FACTS_START);
  const fingerprints = load<u32>(FINGERPRINTS_START);
  const pass = load<u32>(PASS);
  const passes = load<u32>(PASSES);
  const buckets = load<u32>(BUCKETS_START);
  const shift = load<u32>(BUCKET_SHIFT);
  for (let index = from; index < slots; index++) {
    if ((load<u8>(facts + index) & FACT_LIVE) == 0) continue;
    const half = load<u32>(fingerprints + 8 * index);
    if (passes > 1 && half % passes != pass) continue;
    const bucket = buckets + BUCKET_BYTES * (load<u32>(fingerprints + 8 * index, 4) >> shift);
    let end = load<u32>(bucket);
    if ((end & (BLOCK_BYTES - 1)) == 0) {
      const block = load<u32>(BLOCKS_END);
      if (block + BLOCK_BYTES > load<u32>(BLOCKS_LIMIT)) return index;
      store<u32>(BLOCKS_END, block + BLOCK_BYTES);
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
