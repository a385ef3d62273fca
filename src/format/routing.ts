// Which shard a key belongs to (format.md: Routing): xxh3_64 of the key, or of its first bits, modulo the count.

import { SHARDS_MAX } from "../limits.ts";

/** The shard that holds `key`. Seed 0, 64-bit unsigned modulo. */
export function shardOfKey(key: Uint8Array, shardCount: number, shardPrefixBits: number): number {
  if (shardCount === 1) return 0;
  const hash = Bun.hash.xxHash3(routingBytes(key, shardPrefixBits));
  return Number(hash % BigInt(shardCount));
}

/**
 * The bytes that are hashed: the whole key when the bits are 0 or reach past it, else its first bits,
 * the last byte with its low bits zeroed.
 */
export function routingBytes(key: Uint8Array, shardPrefixBits: number): Uint8Array {
  if (shardPrefixBits === 0 || shardPrefixBits >= key.length * 8) return key;
  const wholeBytes = shardPrefixBits >> 3;
  const restBits = shardPrefixBits & 7;
  if (restBits === 0) return key.subarray(0, wholeBytes);
  // Not slice: a Buffer's shares its memory, and the key is the caller's.
  const bytes = new Uint8Array(key.subarray(0, wholeBytes + 1));
  bytes[wholeBytes] = (bytes[wholeBytes] ?? 0) & (0xff << (8 - restBits)) & 0xff;
  return bytes;
}

/** `shard_000` to `shard_254`. */
export function shardDirectory(shard: number): string {
  if (!Number.isInteger(shard) || shard < 0 || shard >= SHARDS_MAX) {
    throw new RangeError(`Shard number out of range: ${shard}`);
  }
  return `shard_${String(shard).padStart(3, "0")}`;
}
