// What a follower asks of its process, and what refuses it before a byte is written.

import { describe, expect, test } from "bun:test";
import { processLimits } from "../../src/io/process-limits.ts";
import { flushThreadsFor } from "../../src/replica/threads/flush-pool.ts";
import { processNeeds, refuseLimits } from "../../src/replica/threads/process-needs.ts";

test.each([
  [1, 1],
  [8, 8],
  [9, 8],
  [64, 8],
  [65, 9],
  [255, 32],
])("%d shards are made durable by %d threads", (shards, threads) => {
  expect(flushThreadsFor(shards)).toBe(threads);
});

describe.each([1, 2, 16, 64, 255])("%d shards", (shards) => {
  const { threads, descriptors } = processNeeds(shards);

  test("are followed with just what they need", () => {
    expect(refuseLimits(shards, { openFiles: descriptors, threads })).toBeNull();
  });

  test("are refused with one descriptor less, and it says how many it takes", () => {
    const refusal = refuseLimits(shards, { openFiles: descriptors - 1, threads });
    expect(refusal).toMatchObject({ code: "storage" });
    expect(refusal?.message).toContain(`${descriptors} open files`);
    expect(refusal?.hint).toContain(`ulimit -n ${descriptors}`);
  });

  test("are refused with one thread less, and it says how many it takes", () => {
    const refusal = refuseLimits(shards, { openFiles: descriptors, threads: threads - 1 });
    expect(refusal).toMatchObject({ code: "storage" });
    expect(refusal?.hint).toContain(`TasksMax=${threads}`);
  });
});

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             100                  200                  processes
Max open files            1024                 4096                 files
`;

describe("the limits of a process", () => {
  const of = (files: Readonly<Record<string, string>>, isRoot = false) =>
    processLimits((path) => files[path] ?? null, isRoot);

  test("that nothing tells are none", () => {
    const none = Number.POSITIVE_INFINITY;
    expect(of({})).toEqual({ openFiles: none, threads: none });
  });

  test("on a user's processes do not bind root", () => {
    expect(of({ "/proc/self/limits": LIMITS })).toEqual({ openFiles: 1024, threads: 100 });
    expect(of({ "/proc/self/limits": LIMITS }, true).threads).toBe(Number.POSITIVE_INFINITY);
  });

  test("are what the control group leaves beside others in it", () => {
    const files = {
      "/proc/self/cgroup": "0::/system.slice/armdb.service\n",
      "/proc/self/status": "Name:\tarmdb\nThreads:\t10\n",
      "/sys/fs/cgroup/system.slice/armdb.service/pids.max": "150\n",
      "/sys/fs/cgroup/system.slice/armdb.service/pids.current": "40\n",
    };
    expect(of(files).threads).toBe(120);
    expect(of({ ...files, "/sys/fs/cgroup/pids.max": "60\n" }).threads).toBe(60);
  });

  test("without one of the control group are those of the user", () => {
    const files = {
      "/proc/self/limits": LIMITS,
      "/proc/self/cgroup": "0::/\n",
      "/sys/fs/cgroup/pids.max": "max\n",
    };
    expect(of(files).threads).toBe(100);
  });
});
