// Numbers for people.

import { expect, test } from "bun:test";
import {
  formatBytes,
  formatCount,
  formatCounted,
  formatDuration,
  formatRough,
  formatShare,
  formatTime,
} from "../../src/cli/surface/numbers.ts";

test.each([
  [0, "0"],
  [999, "999"],
  [1000, "1,000"],
  [1_234_567, "1,234,567"],
  [2n ** 64n - 1n, "18,446,744,073,709,551,615"],
])("formatCount(%p) is %s", (count, text) => {
  expect(formatCount(count)).toBe(text);
});

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1 KiB"],
  [1536, "1.5 KiB"],
  [1_048_575, "1 MiB"],
  [150 * 1024, "150 KiB"],
  [2n ** 40n, "1 TiB"],
  [2 ** 60, "1024 PiB"],
])("formatBytes(%p) is %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0, "0"],
  [999.4, "999"],
  [999.5, "1 k"],
  [1234, "1.2 k"],
  [123_456, "123 k"],
  [999_999, "1 M"],
  [3.44e9, "3.4 G"],
])("formatRough(%p) is %s", (count, text) => {
  expect(formatRough(count)).toBe(text);
});

test.each([
  [0, "0 ms"],
  [-5, "0 ms"],
  [999, "999 ms"],
  [999.7, "1 s"],
  [4200, "4.2 s"],
  [59_940, "59.9 s"],
  [59_960, "1 m 00 s"],
  [185_000, "3 m 05 s"],
  [3_599_600, "1 h 00 m"],
  [7_800_000, "2 h 10 m"],
  [442_800_000, "5 d 03 h"],
  [Number.POSITIVE_INFINITY, "never"],
])("formatDuration(%p) is %s", (durationMs, text) => {
  expect(formatDuration(durationMs)).toBe(text);
});

test("formatShare() is 100 % at the end only", () => {
  expect(formatShare(999_999, 1_000_000)).toBe("99 %");
  expect(formatShare(1_000_000, 1_000_000)).toBe("100 %");
  expect(formatShare(5, 0)).toBe("");
});

test("formatCounted() knows one from many", () => {
  expect(formatCounted(1, "shard")).toBe("1 shard");
  expect(formatCounted(0n, "shard")).toBe("0 shards");
  expect(formatCounted(2, "entry", "entries")).toBe("2 entries");
});

test("formatTime() survives times that cannot be", () => {
  expect(formatTime(1_800_000_000_000)).toBe("2027-01-15 08:00:00 UTC");
  expect(formatTime(1e300)).toBe("an impossible time");
  expect(formatTime(Number.NaN)).toBe("an impossible time");
});
