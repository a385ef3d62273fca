// How the kernel is to share the processor between threads of ours, for which no privilege is needed. Elsewhere than on Linux,
// and where a filter of system calls is in force, nothing changes.
//
//   shard's thread    wakes a thousand times a second beside a busy leader: a short time slice lets it run soon after it wakes
//                     where threads wait for a core (Linux from 6.12 on); its share of the processor stays what it was
//   flush thread      works for the disk in bursts of milliseconds: gives way to those that follow the stream, with a lower
//                     priority and a long time slice
//
//   struct sched_attr    [size u32][policy u32][flags u64][nice i32][priority u32][slice ns u64][deadline u64][period u64]

import { readFileSync } from "node:fs";
import { viewOf } from "../bytes.ts";
import { getScheduling, setScheduling } from "./libc.ts";

/** The least that the kernel takes, and the most. */
export const SLICE_SHORT_NS = 100_000n;
export const SLICE_LONG_NS = 100_000_000n;

export const ATTRIBUTES_BYTES = 48;
export const POLICY_OFFSET = 4;
export const FLAGS_OFFSET = 8;
export const NICE_OFFSET = 16;
export const SLICE_OFFSET = 24;
/** SCHED_OTHER, which every thread has that nobody gave another. */
const POLICY_OTHER = 0;
/**
 * SCHED_FLAG_RESET_ON_FORK: the runtime's own threads, started from this one, keep the usual slice. A lower priority they do
 * inherit: seen for one collector thread beside two that give way.
 */
const FLAG_RESET_ON_FORK = 1n;

/** Half of the weight that a thread had: a sync soon ends on a machine with no core to spare too. */
export const GIVE_WAY_NICE = 3;
const NICE_MAX = 19;

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
 * Shortens the time slice of the calling thread; true when the kernel took it. Beside a leader that puts as fast as it can, on two
 * cores, the 99th percentile from put to written is 2.1 ms instead of 2.3, with the default sync 1.9 instead of 2.6.
 */
export function shortenTimeSlice(scheduling: ThreadScheduling = realScheduling): boolean {
  return change(scheduling, SLICE_SHORT_NS, 0);
}

/**
 * Has the calling thread give way to others, for good: those that wake go first. True when the kernel took it. Measured for the
 * flush threads of `--sync group`, with a put every 10 microseconds on two cores, medians of runs in turns: 99th percentile from
 * put to written 3.6 ms instead of 7.5, processor time 60 % of a core instead of 56. Beside four loops that never end, written data
 * is durable after 93 ms instead of 60 (at most 212 instead of 86). With nice 10 and the usual slice, 3.7 and 345 ms; with the slice
 * alone, 5.7 and 59.
 */
export function giveWay(scheduling: ThreadScheduling = realScheduling): boolean {
  return change(scheduling, SLICE_LONG_NS, GIVE_WAY_NICE);
}

function change(scheduling: ThreadScheduling, sliceNs: bigint, niceMore: number): boolean {
  if (isFiltered(scheduling)) return false;
  const attributes = new Uint8Array(ATTRIBUTES_BYTES);
  const view = viewOf(attributes);
  // Read first: all of it is set at once, and a nice value is the operator's choice.
  if (scheduling.get(attributes) !== 0) return false;
  if (view.getUint32(POLICY_OFFSET, true) !== POLICY_OTHER) return false;
  const nice = view.getInt32(NICE_OFFSET, true);
  view.setInt32(NICE_OFFSET, Math.min(nice + niceMore, NICE_MAX), true);
  view.setBigUint64(FLAGS_OFFSET, view.getBigUint64(FLAGS_OFFSET, true) | FLAG_RESET_ON_FORK, true);
  view.setBigUint64(SLICE_OFFSET, sliceNs, true);
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
