// Typos find what was meant, and strangers nothing.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { editDistance, nearest } from "../../src/cli/words/nearest.ts";

const WORDS = ["replicate", "status", "inspect", "verify", "verify-cursor", "compare", "repair"];

test.each([
  ["replciate", "replicate"],
  ["replicat", "replicate"],
  ["verfy", "verify"],
  ["VERIFY", "verify"],
  ["insp", "inspect"],
  ["stauts", "status"],
  ["repiar", "repair"],
  ["comp", "compare"],
  ["zzz", null],
  ["x", null],
  ["", null],
])("nearest(%p) is %p", (word, found) => {
  expect(nearest(word, WORDS)).toBe(found as string);
});

test("editDistance() is a distance", () => {
  const word = fc.string({ maxLength: 8 });
  fc.assert(
    fc.property(word, word, (left, right) => {
      const distance = editDistance(left, right);
      expect(distance).toBe(editDistance(right, left));
      expect(distance === 0).toBe(left === right);
      expect(distance).toBeLessThanOrEqual(Math.max(left.length, right.length));
    }),
    { seed: 7, numRuns: 500 },
  );
});

test("nearest() is not slowed down by a huge word", () => {
  expect(nearest("verify".repeat(100_000), WORDS)).toBeNull();
});
