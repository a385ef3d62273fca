// The README repeats the short table of docs/undetectable.md, which another test writes from what verify really finds.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";

test("the README lists each bit that verify cannot find, and no other", () => {
  const doc = readFileSync("docs/undetectable.md", "utf8");
  const listed = doc.slice(doc.indexOf("## Not found"), doc.indexOf("## Found, as a note"));
  const table = listed.split("\n").filter((line) => line.startsWith("|"));
  expect(table.length).toBeGreaterThan(2);
  expect(readFileSync("README.md", "utf8")).toContain(table.join("\n"));
});
