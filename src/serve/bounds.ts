// Bounds and times of the leader side, with their units. Those that both sides share are in limits.ts.

import { BATCH_BYTES_FULL, FRAME_HEADER_BYTES, SLOT_BYTES_MAX } from "../limits.ts";

/** The scan reads its file in pieces of this size, or one slot where a slot is larger (wire.md: A session, 3). */
export const SCAN_READ_BYTES = 64 * 1024;
/** Bytes of slots that one connection may scan before the others have their turn. */
export const SCAN_TURN_BYTES = 1024 * 1024;
/** A slot that fails its checksum is read this often before it counts as torn. */
export const TORN_READS = 2;

/** Time for the first SyncRequest, and for each Ack of a catch-up; a Heartbeat restarts the latter (wire.md: A session, 3). */
export const REQUEST_TIMEOUT_MS = 10_000;
export const ACK_TIMEOUT_MS = 10_000;
/** Heartbeats that may come while one Ack is waited for; the next one closes (wire.md: A session, 3). */
export const HEARTBEATS_PER_ACK_MAX = 8;
/** A follower that takes nothing for this long is given up (wire.md: L3, write timeout). */
export const STALLED_READER_MS = 10_000;
export const STALLED_READER_LOOK_MS = 1_000;

/** Live events wait this long for company, as the crate's leader looks at its ring every 1 ms (wire.md: A session, 4). */
export const LIVE_GATHER_MS = 1;
/** The longest frame that a leader sends: a batch one byte short of full, and one more event of the largest kind. */
export const BATCH_FRAME_BYTES_MAX = FRAME_HEADER_BYTES + BATCH_BYTES_FULL + SLOT_BYTES_MAX;

/** At a stop: how long followers have to take and acknowledge the last live events. */
export const STOP_DRAIN_MS = 2_000;
/** At a stop: no Ack for this long after the last batch means that all came. */
export const STOP_QUIET_MS = 100;

/** How often the files of a directory that should be at rest are looked at. */
export const CHANGE_CHECK_INTERVAL_MS = 2_000;
/** A shard that keeps changing is reported at most this often. */
export const CHANGE_REPORT_INTERVAL_MS = 60_000;

/** Slots with a problem that a report names by number. */
export const LISTED_SLOTS_MAX = 20;
