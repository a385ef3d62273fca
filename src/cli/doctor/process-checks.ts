// Doctor on the process and the machine: system calls, limits, memory, clock. Pure over SystemFacts.

import { ArmdbError, type PlainError } from "../../errors.ts";
import { parseSoftLimits, processLimits, type SoftLimits } from "../../io/process-limits.ts";
import { processNeeds, refuseLimits } from "../../replica/threads/process-needs.ts";
import { formatBytes, formatCount, formatTime } from "../surface/numbers.ts";
import { type Check, fail, ok, warn } from "./check.ts";
import type { SystemFacts } from "./system.ts";

/** Without DIR the number of shards is not known; this is the largest. */
const SHARDS_UNKNOWN = 255;
const GIB = 2 ** 30;
const MIB = 2 ** 20;
/** Below this the runtime turns its JIT off, and bun:ffi with it. */
const ADDRESS_SPACE_BYTES_MIN = 4 * GIB;
const MEMORY_BYTES_MIN = 256 * MIB;
/** 2024-01-01: a clock before that was never set. */
const WALL_MS_MIN = 1_704_067_200_000;

/** All checks of this file. `shards` is null when it is not known. */
export function processChecks(system: SystemFacts, shards: number | null): Check[] {
  const limits = parseSoftLimits(system.text("/proc/self/limits"));
  const { threads } = processLimits(system.text, system.uid === 0);
  const checks = [
    checkSystemCalls(system),
    checkDescriptors(limits, shards),
    checkThreads(threads, shards),
  ];
  if (limits !== null) checks.push(checkAddressSpace(limits), checkFileSize(limits));
  checks.push(checkMemory(system), checkClock(system));
  return checks;
}

/** File calls go through bun:ffi, which needs the JIT. */
export function checkSystemCalls(system: SystemFacts): Check {
  const name = "system-calls";
  try {
    system.probeSystemCalls();
    return ok(name, "system calls can be reached (the JIT that bun:ffi needs is allowed)");
  } catch (thrown) {
    if (!(thrown instanceof ArmdbError)) throw thrown;
    return fail(name, "unexpected", thrown.message, thrown.details.hint ?? "allow the JIT");
  }
}

export function checkDescriptors(limits: SoftLimits | null, shards: number | null): Check {
  const name = "open-files";
  const limit = limits?.get("Max open files") ?? null;
  if (limit === null) {
    return warn(name, "the limit on open files is not known here", "ulimit -n: 2048 is plenty");
  }
  const { descriptors } = processNeeds(shards ?? SHARDS_UNKNOWN);
  const message = `${count(limit)} open files allowed, ${needOf(shards)} ${descriptors}`;
  const refusal = refuseLimits(shards ?? SHARDS_UNKNOWN, {
    openFiles: limit,
    threads: Number.POSITIVE_INFINITY,
  });
  return judged(name, message, refusal, shards);
}

/** `limit`: threads that this process may have. */
export function checkThreads(limit: number, shards: number | null): Check {
  const { threads } = processNeeds(shards ?? SHARDS_UNKNOWN);
  const message = `${count(limit)} threads allowed, ${needOf(shards)} ${threads}`;
  const refusal = refuseLimits(shards ?? SHARDS_UNKNOWN, {
    openFiles: Number.POSITIVE_INFINITY,
    threads: limit,
  });
  return judged("threads", message, refusal, shards);
}

function needOf(shards: number | null): string {
  if (shards === 1) return "1 shard needs";
  return `${shards ?? SHARDS_UNKNOWN} shards need`;
}

/** What a follower would refuse; where the number of shards is not known, it may still do. */
function judged(
  name: string,
  message: string,
  refusal: PlainError | null,
  shards: number | null,
): Check {
  if (refusal === null) return ok(name, message);
  const hint = refusal.hint ?? "raise the limit";
  return shards === null ? warn(name, message, hint) : fail(name, "storage", message, hint);
}

function checkAddressSpace(limits: SoftLimits): Check {
  const name = "address-space";
  const limit = limits.get("Max address space") ?? Number.POSITIVE_INFINITY;
  if (limit >= ADDRESS_SPACE_BYTES_MIN) return ok(name, `address space: ${bytes(limit)}`);
  return fail(
    name,
    "unexpected",
    `address space is limited to ${bytes(limit)}; below 4 GiB the runtime turns its JIT off`,
    "no ulimit -v; limit memory with MemoryMax= in the unit instead",
  );
}

function checkFileSize(limits: SoftLimits): Check {
  const name = "file-size";
  const limit = limits.get("Max file size") ?? Number.POSITIVE_INFINITY;
  if (limit === Number.POSITIVE_INFINITY) return ok(name, "files may have any size");
  return warn(
    name,
    `no file may grow past ${bytes(limit)}: a larger shard would end with "no space"`,
    "ulimit -f unlimited, LimitFSIZE=infinity in the unit",
  );
}

/** Files of the memory limit of our cgroup, version 2 and 1. */
const CGROUP_LIMITS = [
  "/sys/fs/cgroup/memory.max",
  "/sys/fs/cgroup/memory/memory.limit_in_bytes",
] as const;

/** The tightest of the machine's available memory and the limits of our cgroup. */
export function checkMemory(system: SystemFacts): Check {
  const name = "memory";
  const available = /^MemAvailable:\s+(\d+) kB$/m.exec(system.text("/proc/meminfo") ?? "");
  const known = cgroupLimits(system);
  if (available !== null) known.push(Number(available[1]) * 1024);
  if (known.length === 0) {
    return warn(name, "free memory is not known here", "armdb needs some 100 MiB");
  }
  const tightest = Math.min(...known);
  const message = `${bytes(tightest)} of memory to be had`;
  if (tightest >= MEMORY_BYTES_MIN) return ok(name, message);
  return warn(name, message, "armdb needs some 100 MiB and a little a shard; raise MemoryMax=");
}

function cgroupLimits(system: SystemFacts): number[] {
  const own = /^0::(\/.+)$/m.exec(system.text("/proc/self/cgroup") ?? "")?.[1];
  const paths = [
    ...CGROUP_LIMITS,
    ...(own === undefined ? [] : [`/sys/fs/cgroup${own}/memory.max`]),
  ];
  return paths
    .map((path) => Number((system.text(path) ?? "max").trim()))
    .filter((limit) => Number.isFinite(limit) && limit > 0);
}

/** Only for people and the cursor's time: nothing is decided by the wall clock. */
export function checkClock(system: SystemFacts): Check {
  const name = "clock";
  const nowMs = system.wallMs();
  const shown = `it is ${formatTime(nowMs)} here`;
  if (nowMs >= WALL_MS_MIN) return ok(name, shown);
  return warn(name, `${shown}: the clock was never set`, "timedatectl, or start chrony");
}

function bytes(limit: number): string {
  return Number.isFinite(limit) ? formatBytes(limit) : "unlimited";
}

function count(limit: number): string {
  return Number.isFinite(limit) ? formatCount(limit) : "any number of";
}
