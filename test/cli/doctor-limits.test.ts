// Doctor on what the process may have: open files and threads.

import { describe, expect, test } from "bun:test";
import { checkDescriptors, checkThreads } from "../../src/cli/doctor/process-checks.ts";
import { parseSoftLimits } from "../../src/io/process-limits.ts";

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max file size             unlimited            unlimited            bytes
Max open files            1024                 524288               files
Max address space         4294967296           unlimited            bytes
`;

describe("the limits", () => {
  test("soft limits are read by name", () => {
    expect([...(parseSoftLimits(LIMITS) ?? [])]).toEqual([
      ["Max file size", Number.POSITIVE_INFINITY],
      ["Max open files", 1024],
      ["Max address space", 4294967296],
    ]);
    expect(parseSoftLimits(null)).toBeNull();
  });

  test.each([
    [1024, 16, "ok"],
    [100, 16, "fail"],
    [1024, null, "warn"],
    [20_000, null, "ok"],
  ] as const)("%d open files for %p shards are %s", (limit, shards, result) => {
    const limits = new Map([["Max open files", limit]]);
    expect(checkDescriptors(limits, shards).result).toBe(result);
  });

  test.each([
    [100, 16, "ok"],
    [59, 16, "fail"],
    [100, null, "warn"],
    [Number.POSITIVE_INFINITY, null, "ok"],
  ] as const)("%d threads for %p shards are %s", (limit, shards, result) => {
    expect(checkThreads(limit, shards).result).toBe(result);
  });
});
