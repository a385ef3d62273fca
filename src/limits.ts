// Every bound and every fixed time of the program, with its unit. Wire and file input is held against
// these before it is used.

/** Longest payload a frame may announce (wire.md: Frames). Checked on the header, before any payload is kept. */
export const FRAME_PAYLOAD_BYTES_MAX = 256 * 1024;
/** `[type u8][len u32]`. */
export const FRAME_HEADER_BYTES = 5;
/** A batch closes at this many events, or at BATCH_BYTES_FULL, checked after adding (wire.md: Frames). */
export const BATCH_EVENTS_FULL = 256;
export const BATCH_BYTES_FULL = 64 * 1024;
/** Events that wait in a leader's ring before it drops (wire.md, point 4). */
export const LEADER_RING_EVENTS = 8192;
/** A run of full batches this long may have hidden a drop: scan again. */
export const RUN_EVENTS_SUSPECT = 8000;

/** db.meta holds the shard count in one byte. */
export const SHARDS_MAX = 255;
/** slot_size is a u16 on the wire and in the header, and a multiple of 8. */
export const SLOT_BYTES_MAX = 65_528;
/** Text of a leader's Error frame that is kept. */
export const LEADER_TEXT_CHARS_MAX = 512;

export const CONNECT_TIMEOUT_MS = 5_000;
export const HANDSHAKE_TIMEOUT_MS = 5_000;
/** A frame that began must end within this, however it drips. */
export const FRAME_TIMEOUT_MS = 15_000;
export const HEARTBEAT_INTERVAL_MS = 5_000;
/** A follower that compares says how far it is at least this often. */
export const COMPARE_WORD_INTERVAL_MS = 5_000;
/** No frame for three heartbeats where frames are due. */
export const SILENCE_TIMEOUT_MS = 3 * HEARTBEAT_INTERVAL_MS;
/** --leader-connections, a day. */
export const LEADER_CONNECTIONS_DEFAULT = 1_000;
/**
 * How long a link must stay open after CaughtUp before anybody is asked whether the scan was whole (wire.md, point 15). A leader
 * that stops has stopped accepting by then, unless its acceptor got no processor for so long; the answers are the proof.
 */
export const CAUGHT_UP_CONFIRM_MS = 100;
/** TCP keepalive: first probe, interval, probes; 8 + 3 x 3 = 17 s until a dead peer is noticed. */
export const KEEPALIVE_IDLE_SECONDS = 8;
export const KEEPALIVE_INTERVAL_SECONDS = 3;
export const KEEPALIVE_PROBES = 3;

export const RECONNECT_DELAY_MS_MIN = 1_000;
export const RECONNECT_DELAY_MS_MAX = 30_000;
/** Share by which a reconnect delay is spread at random, each way. */
export const RECONNECT_JITTER = 0.1;

/** Bytes that may wait for a slow peer on one link before it is given up. */
export const SEND_QUEUE_BYTES_MAX = 64 * 1024;
/** A leader-side link sends batches: at most this waits in memory for one follower. */
export const SERVE_QUEUE_BYTES_MAX = 1024 * 1024;

/** A leader that scans brings a higher slot within this, and within the time that 8 MiB/s need for its whole file. */
export const SCAN_STALL_MS_BASE = 60_000;
export const LEADER_READ_BYTES_PER_MS = 8 * 1024;
export const SCAN_STALL_MS_MAX = 30 * 60_000;
/** Acks that may run ahead in a scan: what fits into one write of 64 KiB, 18 bytes each. */
export const WINDOW_ACKS_MAX = 3_640;
/** Group sync: an fdatasync starts at most this long after the first unsynced write. */
export const GROUP_SYNC_DELAY_MS = 50;
/** The cursor is saved at most this often. */
export const CURSOR_SAVE_INTERVAL_MS = 1_000;
/** And tried again after this where there was no room for it. */
export const CURSOR_RETRY_MS = 10_000;
/** A pwrite longer than this is counted and reported. */
export const SLOW_WRITE_MS = 100;

/** A shard grows by at least this many slots, or by a quarter. */
export const GROW_SLOTS_MIN = 1_000_000;
/** And by no more than this at once, unless a slot needs it. */
export const GROW_BYTES_MAX = 1024 * 1024 * 1024;
/** A slot id at or past max(2 x slot_count, slot_count + this) is a lie. */
export const SLOT_JUMP_MAX = 16_000_000;
/** slot_count is a u32; ids above this cannot be stored in a file we can address safely. */
export const SLOT_COUNT_MAX = 0xffff_ffff;

/** Diverged slots that are listed by number. */
export const DIVERGED_LISTED_MAX = 1_000;
/** Differences that compare keeps. */
export const DIFFERENCES_MAX = 1_000_000;
/** Memory that verify may use to find keys that are live twice. */
export const DUPLICATE_SEARCH_BYTES_MAX = 256 * 1024 * 1024;
