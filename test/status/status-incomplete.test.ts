// `armdb status` without a follower, of a directory whose first copy has not ended: incomplete, exit 4, and not only stopped.

import { describe, expect, test } from "bun:test";
import { statusCommand } from "../../src/cli/commands/status.ts";
import { FixtureCopy } from "../audit/repair-support.ts";
import { leaveCopyState } from "../support/copy-state.ts";
import { runCommand } from "../support/run-command.ts";
import { treeOf } from "../support/temp.ts";

describe("status of a first copy that has not ended, without a follower", () => {
  test("is incomplete, exit 4, with complete for all shards and for each", async () => {
    using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    leaveCopyState(copy.path, [true, false], { savedAtMs: 0 });
    const before = treeOf(copy.path);
    const { status, documents } = await runCommand(statusCommand, [copy.path, "--json"]);
    expect(status).toBe(4);
    expect(documents).toMatchObject([
      {
        running: false,
        verdict: "incomplete",
        complete: false,
        shards: [{ complete: true }, { complete: false }],
      },
    ]);
    const { lines } = await runCommand(statusCommand, [copy.path], { columns: 80 });
    expect(lines.slice(0, 3)).toEqual([
      "stopped; the first copy is not complete",
      "from its files; the last leader was 10.0.0.5:7400 (protocol 2)",
      "",
    ]);
    expect(lines.filter((line) => line.includes("first copy has"))).toEqual([
      "shard 1: its first copy has not ended",
    ]);
    expect(lines.join(" ")).toContain(`Try: armdb replicate 10.0.0.5:7400 --data ${copy.path}`);
    const watched = await runCommand(statusCommand, [copy.path, "--watch"], { closeAfterLines: 1 });
    expect(watched.status).toBe(4);
    expect(watched.lines[0]).toEndWith("stopped; the first copy is not complete");
    expect(treeOf(copy.path)).toEqual(before);
  });

  test("a copy that is complete, or of which nothing is known, is stopped", async () => {
    const cases = [
      [[true, true], true],
      [[true, null], null],
    ] as const;
    for (const [complete, all] of cases) {
      using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
      leaveCopyState(copy.path, complete);
      const { status, documents } = await runCommand(statusCommand, [copy.path, "--json"]);
      expect(status).toBe(5);
      expect(documents).toMatchObject([{ verdict: "stopped", complete: all }]);
    }
  });
});
