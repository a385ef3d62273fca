// db.meta, the 16 bytes that name a database (format.md: db.meta).
//
//   0  4  magic `ARMD`        6  1  shard_count, 1 to 255
//   4  1  version, 2          7  1  shard_prefix_bits, 0 = route by the whole key
//   5  1  backend, 1 = Fixed  8  1  flags, 0
//                             9  7  reserved, zeros

import { isZero } from "../bytes.ts";

export const DB_META_FILE = "db.meta";
export const DB_META_BYTES = 16;
export const DB_META_MAGIC = "ARMD";
export const DB_META_VERSION = 2;
export const BACKEND_FIXED_STORE = 1;

const VERSION_OFFSET = 4;
const BACKEND_OFFSET = 5;
const SHARD_COUNT_OFFSET = 6;
const PREFIX_BITS_OFFSET = 7;
const FLAGS_OFFSET = 8;

export interface DbMeta {
  readonly shardCount: number;
  /** 0 routes by the whole key. */
  readonly shardPrefixBits: number;
}

/** Each field as it stands, whether or not it can be right. Null: not 16 bytes. */
export interface DbMetaFields extends DbMeta {
  readonly magic: string;
  readonly version: number;
  readonly backend: number;
  readonly flags: number;
  readonly reservedIsZero: boolean;
}

/** The first thing wrong with a db.meta, in the order magic, version, backend, counts. */
export type DbMetaFault = "size" | "magic" | "version" | "backend" | "shard-count";

/** Reads every field of a db.meta of exactly 16 bytes; null for any other length. */
export function decodeDbMeta(bytes: Uint8Array): DbMetaFields | null {
  if (bytes.length !== DB_META_BYTES) return null;
  return {
    magic: Buffer.from(bytes.subarray(0, VERSION_OFFSET)).toString("latin1"),
    version: bytes[VERSION_OFFSET] ?? 0,
    backend: bytes[BACKEND_OFFSET] ?? 0,
    shardCount: bytes[SHARD_COUNT_OFFSET] ?? 0,
    shardPrefixBits: bytes[PREFIX_BITS_OFFSET] ?? 0,
    flags: bytes[FLAGS_OFFSET] ?? 0,
    reservedIsZero: isZero(bytes, FLAGS_OFFSET + 1),
  };
}

/** Why a db.meta cannot be used, or null when it can. */
export function dbMetaFault(fields: DbMetaFields | null): DbMetaFault | null {
  if (fields === null) return "size";
  if (fields.magic !== DB_META_MAGIC) return "magic";
  if (fields.version !== DB_META_VERSION) return "version";
  if (fields.backend !== BACKEND_FIXED_STORE) return "backend";
  if (fields.shardCount === 0) return "shard-count";
  return null;
}

/** The 16 bytes of a db.meta; flags and reserved bytes are zero, as later crates demand. */
export function encodeDbMeta(meta: DbMeta): Uint8Array {
  const bytes = new Uint8Array(DB_META_BYTES);
  bytes.set(Buffer.from(DB_META_MAGIC, "latin1"), 0);
  bytes[VERSION_OFFSET] = DB_META_VERSION;
  bytes[BACKEND_OFFSET] = BACKEND_FIXED_STORE;
  bytes[SHARD_COUNT_OFFSET] = meta.shardCount;
  bytes[PREFIX_BITS_OFFSET] = meta.shardPrefixBits;
  return bytes;
}
