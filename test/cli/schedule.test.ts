// When progress is told off a terminal.

import { describe, expect, test } from "bun:test";
import { type Pace, Schedule } from "../../src/cli/surface/schedule.ts";

/** The seconds at which it is time, asked four times a second. */
function dueSeconds(pace: Pace, of: "lines" | "objects", forSeconds: number): number[] {
  const schedule = new Schedule(pace, of, 500);
  const due: number[] = [];
  for (let ms = 0; ms <= forSeconds * 1_000; ms += 250) {
    if (schedule.isDue(500 + ms)) due.push(ms / 1_000);
  }
  return due;
}

describe("progress off a terminal", () => {
  test("is a line after 5, 10, 20, 40 and 60 s, then one each minute", () => {
    expect(dueSeconds(null, "lines", 260)).toEqual([5, 10, 20, 40, 60, 120, 180, 240]);
  });

  test("is an object each 5 s", () => {
    expect(dueSeconds(null, "objects", 22)).toEqual([5, 10, 15, 20]);
  });

  test.each(["lines", "objects"] as const)("is %s as often as --progress says, or never", (of) => {
    expect(dueSeconds({ everyMs: 2_000 }, of, 7)).toEqual([2, 4, 6]);
    expect(dueSeconds("off", of, 7_200)).toEqual([]);
  });

  test("counts from where it begins anew, and makes up for nothing that was missed", () => {
    const schedule = new Schedule(null, "lines", 0);
    expect([schedule.isDue(14_000), schedule.isDue(19_999), schedule.isDue(20_000)]).toEqual([
      true,
      false,
      true,
    ]);
    schedule.begin(30_000);
    expect([schedule.isDue(34_999), schedule.isDue(35_000)]).toEqual([false, true]);
  });
});
