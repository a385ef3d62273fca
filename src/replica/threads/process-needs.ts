// What a follower of so many shards asks of the process: the one place where threads and descriptors are counted. Held against
// the limits before a byte is written, and by doctor; docs/scaling.md tells the same figures.

import type { PlainError } from "../../errors.ts";
import type { ProcessLimits } from "../../io/process-limits.ts";
import { flushThreadsFor } from "./flush-pool.ts";

/** The runtime's own, and what reads from the disk for it. */
const THREADS_BASE = 12;
/** Each heap that was busy has a collector's thread for half a minute. */
const THREADS_PER_WORKER = 2;
/** The runtime, the control socket, HTTP and whoever asks there. */
const DESCRIPTORS_BASE = 64;
/** Its file and the one it is made durable by, two connections, the look of a comparison, two of the runtime. */
const DESCRIPTORS_PER_SHARD = 7;
const DESCRIPTORS_PER_FLUSH_THREAD = 2;

export interface ProcessNeeds {
  readonly threads: number;
  readonly descriptors: number;
}

export function processNeeds(shards: number): ProcessNeeds {
  const flushThreads = flushThreadsFor(shards);
  return {
    threads: THREADS_BASE + THREADS_PER_WORKER * (shards + flushThreads),
    descriptors:
      DESCRIPTORS_BASE +
      DESCRIPTORS_PER_SHARD * shards +
      DESCRIPTORS_PER_FLUSH_THREAD * flushThreads,
  };
}

/** Why so many shards cannot be followed under these limits, or null. */
export function refuseLimits(shards: number, limits: ProcessLimits): PlainError | null {
  const { threads, descriptors } = processNeeds(shards);
  const whose = `${shards} ${shards === 1 ? "shard needs" : "shards need"}`;
  if (limits.openFiles < descriptors) {
    return {
      code: "storage",
      message: `${whose} ${descriptors} open files, and this process may have ${limits.openFiles}`,
      hint: `LimitNOFILE=${descriptors} in the unit, or ulimit -n ${descriptors}`,
    };
  }
  if (limits.threads < threads) {
    return {
      code: "storage",
      message: `${whose} ${threads} threads, and this process may have ${limits.threads}`,
      hint: `TasksMax=${threads} in the unit, --pids-limit ${threads} of a container, or ulimit -u ${threads}`,
    };
  }
  return null;
}
