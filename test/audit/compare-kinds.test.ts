// The table of src/audit/compare/kinds.ts over every combination.

import { describe, expect, test } from "bun:test";
import {
  type DifferenceKind,
  differenceKind,
  isWriteInFlight,
} from "../../src/audit/compare/kinds.ts";
import {
  damagedSide,
  type SideStatus,
  sideStatus,
  sideWordOf,
} from "../../src/audit/look/side-word.ts";
import { packMeta, VERSION_MAX } from "../../src/format/slot.ts";

const STATUSES = ["free", "deleted", "occupied", "damaged"] as const;

/** here, there; versions 5 and 5, 5 and 6, 6 and 5; bytes differ. */
const TABLE: Readonly<
  Record<SideStatus, Readonly<Record<SideStatus, readonly (DifferenceKind | null)[]>>>
> = {
  free: {
    free: [null, null, null],
    deleted: [null, null, null],
    occupied: ["missing", "missing", "missing"],
    damaged: ["status", "status", "status"],
  },
  deleted: {
    free: [null, null, null],
    deleted: [null, "older", "newer"],
    occupied: ["status", "older", "newer"],
    damaged: ["status", "status", "status"],
  },
  occupied: {
    free: ["extra", "extra", "extra"],
    deleted: ["status", "older", "newer"],
    occupied: ["value", "older", "newer"],
    damaged: ["extra", "extra", "extra"],
  },
  damaged: {
    free: ["status", "status", "status"],
    deleted: ["status", "status", "status"],
    occupied: ["missing", "missing", "missing"],
    damaged: ["value", "value", "value"],
  },
};

function word(status: SideStatus, version: number): number {
  return sideWordOf(status, version) as number;
}

describe("differenceKind", () => {
  for (const here of STATUSES) {
    for (const there of STATUSES) {
      test(`${here} here and ${there} there`, () => {
        const versions = [
          [5, 5],
          [5, 6],
          [6, 5],
        ] as const;
        const kinds = versions.map(([left, right]) =>
          differenceKind(word(here, left), word(there, right), false),
        );
        expect(kinds).toEqual([...TABLE[here][there]]);
      });
    }
  }

  test("equal bytes at equal versions are no difference, damaged ones neither", () => {
    expect(differenceKind(word("occupied", 5), word("occupied", 5), true)).toBeNull();
    expect(differenceKind(word("damaged", 5), word("damaged", 5), true)).toBeNull();
    expect(differenceKind(word("occupied", 5), word("occupied", 6), true)).toBe("older");
  });

  test("versions are compared in their ring", () => {
    expect(differenceKind(word("occupied", VERSION_MAX), word("occupied", 0), false)).toBe("older");
    expect(differenceKind(word("occupied", 0), word("occupied", VERSION_MAX), false)).toBe("newer");
  });

  test("a side word keeps status and version", () => {
    for (const status of STATUSES) {
      expect(sideStatus(word(status, 7))).toBe(status);
    }
    expect(sideStatus(damagedSide(packMeta(1, 9)))).toBe("damaged");
    expect(sideWordOf("torn", 1)).toBeNull();
    expect(sideWordOf("toString", 1)).toBeNull();
  });
});

describe("isWriteInFlight", () => {
  const occupied = (version: number) => word("occupied", version);

  test("both sides moved past what the other had: a slot that is written all the time", () => {
    const before = { here: occupied(5), there: occupied(6) };
    expect(isWriteInFlight(before, { here: occupied(7), there: occupied(8) })).toBe(true);
    expect(isWriteInFlight(before, { here: occupied(9), there: occupied(8) })).toBe(true);
  });

  test("a side that stands still is no write in flight", () => {
    const before = { here: occupied(5), there: occupied(6) };
    expect(isWriteInFlight(before, before)).toBe(false);
    expect(isWriteInFlight(before, { here: occupied(5), there: occupied(9) })).toBe(false);
    expect(isWriteInFlight(before, { here: occupied(7), there: occupied(6) })).toBe(false);
  });

  test("moving on without reaching the other is no write in flight", () => {
    const before = { here: occupied(2), there: occupied(6) };
    expect(isWriteInFlight(before, { here: occupied(3), there: occupied(7) })).toBe(false);
  });

  test("a record that came since counts as reached", () => {
    const before = { here: 0, there: occupied(1) };
    expect(isWriteInFlight(before, { here: occupied(1), there: occupied(2) })).toBe(true);
    expect(isWriteInFlight(before, { here: 0, there: occupied(2) })).toBe(false);
  });
});
