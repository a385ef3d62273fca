// Asks the kernel to run the calling thread soon after it wakes. Used by a shard's thread, which wakes a thousand times a second
// beside a busy leader: where threads wait for a core, Linux from 6.12 on lets the one with the shorter time slice go first.
// Its share of the processor stays what it was, and no privilege is needed. Elsewhere nothing changes.
//
//   struct sched_attr    [size u32][policy u32][flags u64][nice i32][priority u32][slice ns u64][deadline u64][period u64]

import { readFileSync } from "node:fs";
import { viewOf } from "../bytes.ts";
import { getScheduling, setScheduling } from "./libc.ts";

/** The least that the kernel takes. */
export const SLICE_NS = 100_000n;

export const ATTRIBUTES_BYTES = 48;
export const POLICY_OFFSET = 4;
export const FLAGS_OFFSET = 8;
export const SLICE_OFFSET = 24;
/** SCHED_OTHER, which every thread has that nobody gave another. */
const POLICY_OTHER = 0;
/** SCHED_FLAG_RESET_ON_FORK: the runtime's own threads, started from this one, keep the usual slice. */
const FLAG_RESET_ON_FORK = 1n;

/** What the kernel says and does about the calling thread. */
export interface ThreadScheduling {
  /** /proc/thread-self/status; throws where there is none. */
  status(): string;
  /** Fills a struct sched_attr: 0 or -errno. */
  get(attributes: Uint8Array): number;
  /** Takes a struct sched_attr: 0 or -errno. */
  set(attributes: Uint8Array): number;
}

const realScheduling: ThreadScheduling = {
  status: () => readFileSync("/proc/thread-self/status", "latin1"),
  get: (attributes) => getScheduling(attributes),
  set: setScheduling,
};

/**
 * Shortens the time slice of the calling thread; true when the kernel took it. With a put every 10 microseconds on two cores the
 * 99th percentile from put to written is 2.1 ms instead of 2.3, with the default sync 1.9 instead of 2.6.
 */
export function shortenTimeSlice(scheduling: ThreadScheduling = realScheduling): boolean {
  if (isFiltered(scheduling)) return false;
  const attributes = new Uint8Array(ATTRIBUTES_BYTES);
  const view = viewOf(attributes);
  // Read first: all of it is set at once, and a nice value is the operator's choice.
  if (scheduling.get(attributes) !== 0) return false;
  if (view.getUint32(POLICY_OFFSET, true) !== POLICY_OTHER) return false;
  view.setBigUint64(FLAGS_OFFSET, view.getBigUint64(FLAGS_OFFSET, true) | FLAG_RESET_ON_FORK, true);
  view.setBigUint64(SLICE_OFFSET, SLICE_NS, true);
  return scheduling.set(attributes) === 0;
}

/** A filter of system calls may end the process for one that it does not allow: where one is in force nothing is tried. */
function isFiltered(scheduling: ThreadScheduling): boolean {
  try {
    return /^Seccomp:\s*[12]/m.test(scheduling.status());
  } catch {
    return true;
  }
}
