// `armdb status` without a follower, of a directory with slots that differ from the leader: diverged, exit 4, as it was while the
// follower ran, and not only stopped.

import { describe, expect, test } from "bun:test";
import { statusCommand } from "../../src/cli/commands/status.ts";
import { packMeta, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { FixtureCopy } from "../audit/repair-support.ts";
import { leaveCopyState } from "../support/copy-state.ts";
import { runCommand } from "../support/run-command.ts";

/** The state file of a follower that found two slots of shard 1 to differ. */
function leaveDiverged(dir: string, complete: boolean): void {
  const word = (version: number) => packMeta(STATUS_OCCUPIED, version);
  const shard = {
    ...{ complete, lastFullScanAtMs: 1_800_000_000_000, lastFullScanTookMs: 500 },
    ...{ divergedSlots: 0, diverged: [], owed: null, currentAtMs: null },
    ...{ leaderHeardAtMs: null, counters: null },
  };
  const diverged = [
    [3, "older", word(5), word(4)],
    [9, "missing", word(1), null],
  ] as const;
  leaveCopyState(dir, [], {
    shards: [
      { ...shard, shard: 0 },
      { ...shard, shard: 1, divergedSlots: 2, diverged },
    ],
  });
}

describe("status of a diverged replica without a follower", () => {
  test.each([true, false])("is diverged, exit 4, complete or not (%p)", async (complete) => {
    using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    leaveDiverged(copy.path, complete);
    const { status, documents } = await runCommand(statusCommand, [copy.path, "--json"]);
    expect(status).toBe(4);
    const listed = [
      {
        slot: 3,
        kind: "newer",
        here: { status: "occupied", version: 5 },
        there: { status: "occupied", version: 4 },
      },
      { slot: 9, kind: "extra", here: { status: "occupied", version: 1 }, there: null },
    ];
    expect(documents).toMatchObject([
      {
        running: false,
        verdict: "diverged",
        complete,
        shards: [
          { state: "stopped", divergedSlots: 0, diverged: [] },
          { state: "stopped", divergedSlots: 2, diverged: listed },
        ],
      },
    ]);
  });

  test("says so to people, that no follower runs, and what to do", async () => {
    using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    leaveDiverged(copy.path, true);
    const { lines } = await runCommand(statusCommand, [copy.path], { columns: 200 });
    expect(lines.slice(0, 2)).toEqual([
      "diverged: 1 of 2 shards differs from leader 10.0.0.5:7400; no follower runs here",
      "from its files; the last leader was 10.0.0.5:7400 (protocol 2)",
    ]);
    expect(lines.slice(-2)).toEqual([
      "shard 1: 1 slot is newer here than at the leader (kept); 1 slot is extra here (kept): " +
        "slot 3 is newer here (v5, leader v4), slot 9 is extra here (v1, not at the leader)",
      `Try: armdb compare ${copy.path} 10.0.0.5:7400; to take the leader's, run ` +
        `armdb replicate 10.0.0.5:7400 --data ${copy.path} --accept-leader`,
    ]);
    const watched = await runCommand(statusCommand, [copy.path, "--watch"], { closeAfterLines: 1 });
    expect(watched.status).toBe(4);
    expect(watched.lines[0]).toEndWith("diverged: 1 of 2 shards differs, and no follower runs");
  });
});
