// The rules of the house (CONTRIBUTING.md) on this tree, a test each. It is over before the other tests begin.

import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { CHECKS } from "./checks.ts";
import { RULES } from "./rules.ts";
import { readTree } from "./source.ts";

const tree = readTree(resolve(import.meta.dir, "../.."));

describe("tidy", () => {
  test.each(Object.entries(CHECKS))("%s", (_, check) => {
    expect(check(tree, RULES)).toEqual([]);
  });
});
