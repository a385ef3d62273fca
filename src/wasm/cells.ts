// Where things lie in the memory of the WASM kernel, for both sides: AssemblyScript (kernel.ts and what it imports) and
// TypeScript (format/wasm-slot-scanner.ts, replica/apply/wasm-applier.ts) read this same file, so it holds nothing but numbers.
//
//   0        unused, so that address 0 is nothing
//   64       cells: one u32 each, named below
//   512      128 bytes for the key that is hashed
//   640      128 bytes, the secret of xxh3
//   1024     crc tables, 16 x 256 u32
//   17408    areas, laid out by TypeScript from the bounds in limits.ts; their addresses are cells
//   table    at the end, so that it can grow: groups of slots

/** Addresses of cells that TypeScript sets. */
export const KEY_BYTES = 64;
export const VALUE_BYTES = 68;
export const SLOT_BYTES = 72;
export const SLOT_COUNT = 76;
export const IMAGES_START = 80;
export const RUNS_START = 84;
export const DIFFERENCES_START = 88;
export const RESETS_START = 92;
export const CRCS_START = 96;
export const TABLE_START = 100;
export const CHUNK_START = 104;
export const FACTS_START = 108;
export const FINGERPRINTS_START = 112;
export const ROUTING_SHARD = 116;
/** 0: routing is not checked. */
export const ROUTING_SHARD_COUNT = 120;
/** Bytes of the key that are hashed; the last one is masked. */
export const ROUTING_BYTES = 124;
export const ROUTING_LAST_MASK = 128;
export const PRODUCTS_START = 132;

/** Addresses of cells that live from call to call. */
export const PENDING_BYTES = 160;
export const RUN_COUNT = 164;
/** The slot that would join the last run; SLOT_NONE when none can. */
export const SLOT_JOINING = 168;
export const OCCUPIED = 172;
/** At or past this address nothing of the table was ever written (touch.ts); at first TABLE_START. */
export const TABLE_TOUCHED = 176;

/** Addresses of cells that `apply` leaves behind. */
/** Slots of the first and the last event; whether each is above the one before (1). */
export const SLOT_FIRST = 180;
/** The first slot that came with status 3 (protocol 1), SLOT_NONE when none did. */
export const INVALID_SLOT = 136;
export const SLOT_LAST = 184;
export const ASCENDING = 188;
export const TAKEN = 192;
export const REPLACED = 196;
export const CLEARED = 200;
/** Signed: -1 when nothing was taken. */
export const VERSION_MAX = 204;
export const DIFFERENCE_COUNT = 208;
export const RESET_COUNT = 212;
export const SLOT_MAX = 216;
/** The event at which a batch was refused. */
export const FAULT_EVENT = 220;

/** Addresses of cells that `scan` leaves behind. */
export const COUNT_OCCUPIED = 224;
export const COUNT_DELETED = 228;
export const COUNT_FREE = 232;
export const COUNT_DAMAGED = 236;
export const VERSION_LEAST = 240;
/** Signed: -1 when no slot of the chunk was ever used. */
export const VERSION_GREATEST = 244;

/** Addresses of cells that TypeScript sets for the search for doubled fingerprints. */
/** The part of the lower halves that is kept, of a power of two of them. */
export const PART = 256;
export const PARTS = 260;
/** The upper half of a fingerprint shifted by this to the right is the number of its bucket. */
export const BUCKET_SHIFT = 264;
export const BUCKETS_START = 268;
/** Where the next block goes, and where the room for blocks ends. */
export const BLOCKS_END = 272;
export const BLOCKS_LIMIT = 276;
export const HASH_START = 280;
/** Bytes of the hash table, a power of two, less one cell. */
export const HASH_MASK = 284;
export const DOUBLES_START = 288;
/** The first block that was emptied, 0 when there is none. */
export const FREE_BLOCK = 292;

export const KEY_SCRATCH = 512;
export const SECRET = 640;
export const CRC_TABLES = 1024;
export const AREAS_START = 17408;

/** No slot has this number: a count of slots fits in a u32. */
export const SLOT_NONE = 0xffffffff;
/** A run: slot, address, bytes; 4 bytes are a meta word, more are whole images. */
export const RUN_BYTES = 12;
/** A difference: slot, the word here before, the leader's word, and what it is. */
export const DIFFERENCE_BYTES = 16;
/** Equal versions, and ours is kept; the leader's is older, and ours is kept; the leader's is taken. */
export const DIFFERENCE_SAME_VERSION = 0;
export const DIFFERENCE_OLDER = 1;
export const DIFFERENCE_TAKEN = 2;

/** Tables of products, behind PRODUCTS_START (span-crc.ts). */
export const PRODUCT_SLOT = 0;
export const PRODUCT_BODY = 4096;
export const PRODUCT_PADDING = 8192;
export const PRODUCTS_BYTES = 12288;

/**
 * A group of the table:
 *
 *   0    32 x [meta word u32, crc u32]
 *   256  u32, a bit per slot: the scan has shown it
 *   260  u32, a bit per slot: the stream has touched it
 */
export const GROUP_SLOTS = 32;
export const GROUP_BYTES = 264;
export const SEEN_OFFSET = 256;
export const TOUCHED_OFFSET = 260;

/** A bucket of pairs, in blocks at multiples of their length (duplicates.ts). */
export const BUCKET_BYTES = 8;
export const BLOCK_BYTES = 4096;
export const BLOCK_HEADER_BYTES = 8;
/** Lower half of a fingerprint, slot. */
export const PAIR_BYTES = 8;
/** Two slots with one fingerprint. */
export const DOUBLE_BYTES = 8;

/** Options of `apply`. */
export const OPTION_PROTOCOL_2 = 1;
export const OPTION_SCAN = 2;
export const OPTION_RESETS_SAVED = 4;
export const OPTION_CRCS_GIVEN = 8;
/** What is taken is told among the differences too. */
export const OPTION_TELL_TAKEN = 16;

/** Answers of `apply`. */
export const ANSWER_APPLIED = 0;
export const ANSWER_TRUNCATED = 1;
export const ANSWER_STATUS_INVALID = 2;
export const ANSWER_GROW = 3;
export const ANSWER_SAVE_FIRST = 4;

/** Where `scan` has crcs from: takes them itself, finds them at CRCS_START, or is told that they are right. */
export const CRCS_TAKEN = 0;
export const CRCS_GIVEN = 1;
export const CRCS_SOUND = 2;

/** Facts of a slot, as bits: format/slot-scanner.ts says what each means. */
export const FACT_BAD_CRC = 1;
export const FACT_BAD_STATUS = 2;
export const FACT_MISROUTED = 4;
export const FACT_PADDING = 8;
export const FACT_FREE_NOT_EMPTY = 16;
export const FACT_FREE_VERSION = 32;
export const FACT_DELETED_CRC = 64;
export const FACT_LIVE = 128;
