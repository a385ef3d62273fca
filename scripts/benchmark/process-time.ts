// The processor time of another process, as exact as the kernel keeps it: the ticks of /proc/PID/stat are too coarse for a few
// percent of a core, and the sum of its threads loses the time of each that ends.

import { dlopen, FFIType } from "bun:ffi";

const libc = dlopen("libc.so.6", {
  clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
});
/** CPUCLOCK_SCHED of the kernel: what the scheduler has counted. */
const CLOCK_SCHEDULER = 2;

/** Processor time of a process so far with all its threads, also those that have ended; s. Throws when there is none. */
export function cpuSecondsOf(pid: number): number {
  const time = new BigInt64Array(2);
  // clock_getcpuclockid(3) makes the clock of a process from its number in this way.
  if (libc.symbols.clock_gettime((~pid << 3) | CLOCK_SCHEDULER, time) !== 0)
    throw new Error(`no processor time of process ${pid}`);
  return Number(time[0]) + Number(time[1]) / 1e9;
}
