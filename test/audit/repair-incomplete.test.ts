// repair of a copy that is not complete: there is nothing to mend about it, and it is not called fine.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { verifyCommand } from "../../src/cli/commands/verify.ts";
import { leaveCopyState } from "../support/copy-state.ts";
import { contentsOf, FixtureCopy, runWords, TempDirectory } from "./repair-support.ts";

const SLOT = 5;

describe("repair of an incomplete copy", () => {
  test("has nothing to mend and says how to go on, exit 4", async () => {
    using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    leaveCopyState(copy.path, [false, true]);
    const before = contentsOf(copy.path);
    const words = [copy.path, "--apply", "--yes"];
    for (const more of [words, [copy.path]]) {
      const { status, document } = await runWords(repairCommand, [...more, "--json"]);
      expect(status).toBe(4);
      const hint = `armdb replicate 10.0.0.5:7400 --data ${copy.path}`;
      expect(document).toMatchObject({
        verdict: "incomplete",
        complete: false,
        steps: [],
        left: [{ kind: "copy-incomplete", shard: 0, hint }],
        remaining: [{ kind: "copy-incomplete", severity: "incomplete", shard: 0 }],
      });
    }
    const { lines } = await runWords(repairCommand, [copy.path]);
    expect(lines.at(-1)).toBe(
      "incomplete: there is nothing to mend, but 1 shard is not a whole copy",
    );
    expect(contentsOf(copy.path)).toEqual(before);
  });

  test("of a shard that is whole there is nothing to do", async () => {
    using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    leaveCopyState(copy.path, [false, true]);
    const { status, document } = await runWords(repairCommand, [
      copy.path,
      "--shard",
      "1",
      "--json",
    ]);
    expect(status).toBe(0);
    expect(document).toMatchObject({ verdict: "nothing-to-do", complete: false });
  });

  test("mends the damage, and the copy is still incomplete: exit 3 before, 4 after, as verify", async () => {
    using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    leaveCopyState(copy.path, [false, true]);
    copy.poke(copy.file(0), 4096 + SLOT * 32 + 20, [0xff]);
    const planned = await runWords(repairCommand, [copy.path, "--json"]);
    expect([planned.status, planned.document["verdict"]]).toEqual([3, "planned"]);
    const { status, document, lines } = await runWords(repairCommand, [
      ...[copy.path, "--apply", "--yes", "--json"],
    ]);
    expect(lines).toEqual([]);
    expect(status).toBe(4);
    expect(document).toMatchObject({
      verdict: "incomplete",
      complete: false,
      journal: expect.any(String),
      remaining: [{ kind: "copy-incomplete" }],
    });
    expect((await runWords(verifyCommand, [copy.path])).status).toBe(4);
  });

  test("a report of verify is read back, and mends what it names", async () => {
    using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    using temp = new TempDirectory();
    leaveCopyState(copy.path, [false, true]);
    copy.poke(copy.file(0), 4096 + SLOT * 32 + 20, [0xff]);
    const report = join(temp.path, "report.json");
    expect((await runWords(verifyCommand, [copy.path, "--report", report])).status).toBe(3);
    const { status, document } = await runWords(repairCommand, [
      ...[copy.path, "--plan", report, "--apply", "--yes", "--json"],
    ]);
    expect(status).toBe(4);
    expect(document).toMatchObject({ remaining: [{ kind: "copy-incomplete" }] });
  });

  test("of a complete copy it is as before, with complete beside it", async () => {
    using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    leaveCopyState(copy.path, [true, true]);
    const { status, document } = await runWords(repairCommand, [copy.path, "--json"]);
    expect(status).toBe(0);
    expect(document).toMatchObject({ verdict: "nothing-to-do", complete: true, left: [] });
  });
});
