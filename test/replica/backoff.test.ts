// The pauses between connects: 1 s doubling to 30 s, spread by chance, back to 1 s after real progress.

import { describe, expect, test } from "bun:test";
import { Backoff } from "../../src/replica/backoff.ts";

/** Chance that says these fractions in turn, then 0.5: no spread. */
function chance(...fractions: number[]) {
  return { fraction: () => fractions.shift() ?? 0.5 };
}

const delays = (backoff: Backoff, count: number) =>
  Array.from({ length: count }, () => backoff.next());

describe("Backoff", () => {
  test("waits 1 s, doubles to 30 s and stays there", () => {
    expect(delays(new Backoff(chance()), 8)).toEqual([
      1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
    ]);
  });

  test("is back at 1 s after progress, and doubles again from there", () => {
    const backoff = new Backoff(chance());
    delays(backoff, 6);
    backoff.progressed();
    expect(delays(backoff, 3)).toEqual([1000, 2000, 4000]);
    backoff.progressed();
    backoff.progressed();
    expect(delays(backoff, 1)).toEqual([1000]);
  });

  test("spreads each delay by a tenth each way, and not the ones after it", () => {
    expect(delays(new Backoff(chance(0, 0.5, 0.999_999)), 4)).toEqual([900, 2000, 4400, 8000]);
    const late = new Backoff(chance(0.5, 0.5, 0.5, 0.5, 0.5, 0, 0.999_999));
    expect(delays(late, 7).slice(5)).toEqual([27_000, 33_000]);
  });

  test("keeps two followers apart", () => {
    const [left, right] = [new Backoff(chance(0.1)), new Backoff(chance(0.9))];
    expect(left.next()).not.toBe(right.next());
  });
});
