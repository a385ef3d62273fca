// xxh3_64 with seed 0 of up to 128 bytes, and the shard that a key belongs to by it (format.md: Routing). Used by scan.ts:
// the runtime's own hash answers with a bigint, which makes the routing of a key dearer than all other checks together.

import {
  KEY_SCRATCH,
  ROUTING_BYTES,
  ROUTING_LAST_MASK,
  ROUTING_SHARD,
  ROUTING_SHARD_COUNT,
  SECRET,
} from "./cells";

const PRIME_1: u64 = 0x9e3779b185ebca87;
const PRIME_2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME_3: u64 = 0x165667b19e3779f9;
const MIX_1: u64 = 0x165667919e3779f9;
const MIX_2: u64 = 0x9fb21c651e98df25;

/** Writes the first 128 bytes of the algorithm's default secret to where the hash looks for them. */
export function prepareSecret(): void {
  store<u64>(SECRET, 0xbe4ba423396cfeb8, 0);
  store<u64>(SECRET, 0x1cad21f72c81017c, 8);
  store<u64>(SECRET, 0xdb979083e96dd4de, 16);
  store<u64>(SECRET, 0x1f67b3b7a4a44072, 24);
  store<u64>(SECRET, 0x78e5c0cc4ee679cb, 32);
  store<u64>(SECRET, 0x2172ffcc7dd05a82, 40);
  store<u64>(SECRET, 0x8e2443f7744608b8, 48);
  store<u64>(SECRET, 0x4c263a81e69035e0, 56);
  store<u64>(SECRET, 0xcb00c391bb52283c, 64);
  store<u64>(SECRET, 0xa32e531b8b65d088, 72);
  store<u64>(SECRET, 0x4ef90da297486471, 80);
  store<u64>(SECRET, 0xd8acdea946ef1938, 88);
  store<u64>(SECRET, 0x3f349ce33f76faa8, 96);
  store<u64>(SECRET, 0x1d4f0bc7c7bbdcf9, 104);
  store<u64>(SECRET, 0x3159b4cd4be0518a, 112);
  store<u64>(SECRET, 0x647378d9c97e9fc8, 120);
}

/** True when a key at `key` belongs to the shard that is scanned. */
export function isRoutedHere(key: u32): bool {
  const bytes = load<u32>(ROUTING_BYTES);
  const mask = load<u32>(ROUTING_LAST_MASK);
  let at = key;
  if (mask != 0xff) {
    memory.copy(KEY_SCRATCH, key, bytes);
    store<u8>(KEY_SCRATCH + bytes - 1, load<u8>(KEY_SCRATCH + bytes - 1) & mask);
    at = KEY_SCRATCH;
  }
  return <u32>(xxh3(at, bytes) % load<u32>(ROUTING_SHARD_COUNT)) == load<u32>(ROUTING_SHARD);
}

/** xxh3_64 of 1 to 128 bytes. */
function xxh3(at: u32, bytes: u32): u64 {
  if (bytes > 16) return hash17to128(at, bytes);
  if (bytes > 8) return hash9to16(at, bytes);
  if (bytes >= 4) return hash4to8(at, bytes);
  return hash1to3(at, bytes);
}

function hash1to3(at: u32, bytes: u32): u64 {
  const first = <u32>load<u8>(at);
  const middle = <u32>load<u8>(at + (bytes >> 1));
  const last = <u32>load<u8>(at + bytes - 1);
  const combined = (first << 16) | (middle << 24) | last | (bytes << 8);
  let hash = (<u64>combined) ^ (<u64>(load<u32>(SECRET) ^ load<u32>(SECRET, 4)));
  hash = (hash ^ (hash >> 33)) * PRIME_2;
  hash = (hash ^ (hash >> 29)) * PRIME_3;
  return hash ^ (hash >> 32);
}

function hash4to8(at: u32, bytes: u32): u64 {
  const input = <u64>load<u32>(at + bytes - 4) + ((<u64>load<u32>(at)) << 32);
  let hash = input ^ (load<u64>(SECRET, 8) ^ load<u64>(SECRET, 16));
  hash ^= rotl<u64>(hash, 49) ^ rotl<u64>(hash, 24);
  hash *= MIX_2;
  hash ^= (hash >> 35) + bytes;
  hash *= MIX_2;
  return hash ^ (hash >> 28);
}

function hash9to16(at: u32, bytes: u32): u64 {
  const low = load<u64>(at) ^ (load<u64>(SECRET, 24) ^ load<u64>(SECRET, 32));
  const high = load<u64>(at + bytes - 8) ^ (load<u64>(SECRET, 40) ^ load<u64>(SECRET, 48));
  return avalanche(bytes + bswap<u64>(low) + high + foldedProduct(low, high));
}

function hash17to128(at: u32, bytes: u32): u64 {
  const end = at + bytes;
  let hash = <u64>bytes * PRIME_1;
  if (bytes > 96) hash += mix16(at + 48, SECRET + 96) + mix16(end - 64, SECRET + 112);
  if (bytes > 64) hash += mix16(at + 32, SECRET + 64) + mix16(end - 48, SECRET + 80);
  if (bytes > 32) hash += mix16(at + 16, SECRET + 32) + mix16(end - 32, SECRET + 48);
  hash += mix16(at, SECRET) + mix16(end - 16, SECRET + 16);
  return avalanche(hash);
}

function mix16(at: u32, secret: u32): u64 {
  return foldedProduct(load<u64>(at) ^ load<u64>(secret), load<u64>(at, 8) ^ load<u64>(secret, 8));
}

function avalanche(hash: u64): u64 {
  hash = (hash ^ (hash >> 37)) * MIX_1;
  return hash ^ (hash >> 32);
}

/** The two halves of the 128-bit product, joined by xor. */
function foldedProduct(left: u64, right: u64): u64 {
  const leftLow = left & 0xffffffff;
  const leftHigh = left >> 32;
  const rightLow = right & 0xffffffff;
  const rightHigh = right >> 32;
  const low = leftLow * rightLow;
  const middle = leftHigh * rightLow + (low >> 32);
  const middleOther = leftLow * rightHigh + (middle & 0xffffffff);
  const high = leftHigh * rightHigh + (middle >> 32) + (middleOther >> 32);
  return high ^ (left * right);
}
