// How many files and threads this process may have, as Linux tells it. Used by the start of a follower and by doctor. Reads
// small files below /proc and /sys through `readText`, which gives null for what cannot be read; what is not known limits nothing.

import { readFileSync } from "node:fs";

/** Infinity where there is no limit, or none that can be read. */
export interface ProcessLimits {
  readonly openFiles: number;
  /** More threads than the process has now, its own included. */
  readonly threads: number;
}

export type ReadText = (path: string) => string | null;

/** Soft limits by name; `Infinity` for unlimited. */
export type SoftLimits = ReadonlyMap<string, number>;

/** Reads /proc/self/limits; null where there is none. */
export function parseSoftLimits(text: string | null): SoftLimits | null {
  if (text === null) return null;
  const limits = new Map<string, number>();
  for (const line of text.split("\n").slice(1)) {
    const match = /^(Max [a-z ]*?[a-z])\s{2,}(unlimited|\d+)/.exec(line);
    if (match === null) continue;
    const [, name = "", soft = ""] = match;
    limits.set(name, soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft));
  }
  return limits;
}

/** The limits of this process. Those on a user's processes do not bind root. */
export function processLimits(
  readText: ReadText = smallFile,
  isRoot = isRootUser(),
): ProcessLimits {
  const soft = parseSoftLimits(readText("/proc/self/limits"));
  const ofUser = isRoot ? null : (soft?.get("Max processes") ?? null);
  return {
    openFiles: soft?.get("Max open files") ?? Number.POSITIVE_INFINITY,
    threads: Math.min(ofUser ?? Number.POSITIVE_INFINITY, cgroupThreads(readText)),
  };
}

/** What the control group leaves: its limit, less what others in it have. */
function cgroupThreads(readText: ReadText): number {
  const own = /^0::(\/.*)$/m.exec(readText("/proc/self/cgroup") ?? "")?.[1] ?? "/";
  const places = new Set([`/sys/fs/cgroup${own === "/" ? "" : own}`, "/sys/fs/cgroup"]);
  const ours = threadsOf(readText("/proc/self/status"));
  const left = [...places].map((place) => {
    const limit = Number.parseInt(readText(`${place}/pids.max`) ?? "", 10);
    const used = Number.parseInt(readText(`${place}/pids.current`) ?? "", 10);
    if (!Number.isFinite(limit)) return Number.POSITIVE_INFINITY;
    return limit - Math.max(0, (Number.isFinite(used) ? used : ours) - ours);
  });
  return Math.min(...left);
}

function threadsOf(status: string | null): number {
  return Number(/^Threads:\s*(\d+)/m.exec(status ?? "")?.[1] ?? 1);
}

function isRootUser(): boolean {
  return process.geteuid?.() === 0;
}

function smallFile(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
