// Where things lie in the memory of the WASM kernel, for both sides: AssemblyScript (kernel.ts and what it imports)
// and TypeScript (replica/wasm-memory.ts) read this same file, so it holds nothing but numbers.
//
//   0        unused, so that address 0 is nothing
//   64       cells: one u32 each, named below
//   1024     crc tables, 16 x 256 u32
//   17408    areas, laid out by TypeScript from the bounds in limits.ts; their addresses are cells
//
//   table    at the end, so that it can grow: groups of 32 slots, 264 bytes each
//              0    32 x [meta word u32, crc u32]
//              256  u32, a bit per slot: the scan has shown it
//              260  u32, a bit per slot: the stream has touched it

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
export const WORDS_START = 108;
export const EXCEPTIONS_START = 112;

/** Addresses of cells that live from call to call. */
export const PENDING_BYTES = 128;
export const RUN_COUNT = 132;
/** The slot that would join the last run; SLOT_NONE when none can. */
export const SLOT_JOINING = 136;
export const OCCUPIED = 140;

/** Addresses of cells that a call leaves behind. */
export const TAKEN = 160;
export const REPLACED = 164;
export const CLEARED = 168;
/** Signed: -1 when nothing was taken. */
export const VERSION_MAX = 172;
export const DIFFERENCE_COUNT = 176;
export const RESET_COUNT = 180;
export const SLOT_MAX = 184;
/** The event at which a batch was refused. */
export const FAULT_EVENT = 188;
export const EXCEPTION_COUNT = 192;
export const FREE_COUNT = 196;
export const OCCUPIED_COUNT = 200;
export const DELETED_COUNT = 204;

export const CRC_TABLES = 1024;
export const AREAS_START = 17408;

/** No slot has this number: a count of slots fits in a u32. */
export const SLOT_NONE = 0xffffffff;
/** A run: slot, address, bytes; 4 bytes are a meta word, more are whole images. */
export const RUN_BYTES = 12;
/** A difference: slot, the leader's word, 1 when it is older than what is here, else 0. */
export const DIFFERENCE_BYTES = 12;
/** An exception of a chunk: index of the slot, flags. */
export const EXCEPTION_BYTES = 8;

export const GROUP_SLOTS = 32;
export const GROUP_BYTES = 264;
export const SEEN_OFFSET = 256;
export const TOUCHED_OFFSET = 260;

/** Options of `apply`. */
export const OPTION_PROTOCOL_2 = 1;
export const OPTION_SCAN = 2;
export const OPTION_RESETS_SAVED = 4;
export const OPTION_CRCS_GIVEN = 8;

/** Answers of `apply`. */
export const ANSWER_APPLIED = 0;
export const ANSWER_TRUNCATED = 1;
export const ANSWER_STATUS_INVALID = 2;
export const ANSWER_GROW = 3;
export const ANSWER_SAVE_FIRST = 4;

/** Flags of an exception, as in format/slot-scanner.ts. */
export const FLAG_CRC = 1;
export const FLAG_STATUS = 2;
export const FLAG_PADDING = 4;
export const FLAG_FREE_NOT_EMPTY = 8;
