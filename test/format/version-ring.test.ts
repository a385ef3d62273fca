// Versions are 30 bits on a ring: newer means up to half of it ahead.

import { describe, expect, test } from "bun:test";
import { isNewer, nextVersion, VERSION_HALF, VERSION_MAX } from "../../src/format/slot.ts";

describe("a version", () => {
  const cases: readonly (readonly [string, number, number, boolean])[] = [
    ["equal", 7, 7, false],
    ["equal at 0", 0, 0, false],
    ["equal at the end", VERSION_MAX, VERSION_MAX, false],
    ["one ahead", 8, 7, true],
    ["one behind", 7, 8, false],
    ["one ahead across the end", 0, VERSION_MAX, true],
    ["one behind across the end", VERSION_MAX, 0, false],
    ["half of the ring less one ahead", VERSION_HALF - 1, 0, true],
    ["half of the ring ahead", VERSION_HALF, 0, false],
    ["half of the ring and one ahead", VERSION_HALF + 1, 0, false],
    ["half less one, across the end", 10, VERSION_HALF + 12, true],
    ["half of the ring, across the end", 10, VERSION_HALF + 10, false],
  ];
  for (const [name, candidate, current, newer] of cases) {
    test(`${name}: ${newer ? "newer" : "not newer"}`, () => {
      expect(isNewer(candidate, current)).toBe(newer);
    });
  }

  test("is never newer than one that is newer than it, and only the opposite point is neither", () => {
    const points = [0, 1, 2, 1000, VERSION_HALF - 1, VERSION_HALF, VERSION_HALF + 1, VERSION_MAX];
    for (const left of points) {
      for (const right of points) {
        const [forth, back] = [isNewer(left, right), isNewer(right, left)];
        expect(forth && back).toBe(false);
        const opposite = ((left - right) & VERSION_MAX) === VERSION_HALF;
        expect(forth || back).toBe(left !== right && !opposite);
      }
    }
  });

  test("has a next one that is newer, all around the ring", () => {
    for (const version of [0, 1, VERSION_HALF - 1, VERSION_HALF, VERSION_MAX - 1, VERSION_MAX]) {
      expect(isNewer(nextVersion(version), version)).toBe(true);
    }
    expect(nextVersion(VERSION_MAX)).toBe(0);
  });
});
