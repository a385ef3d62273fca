// What scripts and people see of a running follower, report by report.

import { describe, expect, test } from "bun:test";
import type { FollowDisplayOptions } from "../../src/cli/render/follow-display.ts";
import type { FollowerReport, ShardSnapshot } from "../../src/replica/follower-types.ts";
import type { ScanWhy } from "../../src/replica/machine/types.ts";
import { snapshotOf } from "../status/facts.ts";
import { type DisplayStage, displayStage } from "./display-stage.ts";

/** Has one report of a shard shown each `everyMs`, for `forMs`. */
function report(
  { clock, display }: DisplayStage,
  { everyMs, forMs, shards }: { everyMs: number; forMs: number; shards: readonly ShardSnapshot[] },
): void {
  for (let atMs = 0; atMs < forMs; atMs += everyMs) {
    clock.advance(everyMs);
    const snapshot = shards[(atMs / everyMs) % shards.length] as ShardSnapshot;
    display.reported({ kind: "snapshot", snapshot }, () => shards);
  }
}

describe("a running follower with --json", () => {
  const scan = {
    ...({ link: 1, kind: "first", why: "first", phase: "scanning" } as const),
    ...{ ms: 2_000, slot: 249 },
  };
  const scanning = snapshotOf({ state: "scanning", scan, scanned: 100, appliedTotal: 5n });

  test("tells the progress of all shards together, each 5 s while one of them is scanned", () => {
    const stage = displayStage({ json: true, shardCount: () => 2 });
    report(stage, { everyMs: 50, forMs: 16_000, shards: [scanning, snapshotOf({ shard: 1 })] });
    const lines = stage.written();
    expect(lines).toHaveLength(3);
    expect(lines[0]).toEqual({
      ...{ schema: 1, type: "progress" },
      catchUp: { share: 0.625, recordsPerSecond: 50, leftMs: 6_000, leftIsMost: false },
      shards: [
        {
          ...{ shard: 0, state: "scanning", scanned: "100", slots: 1000, occupied: 600 },
          ...{
            appliedTotal: "5",
            catchUp: { share: 0.25, recordsPerSecond: 50, leftMs: 6_000, leftIsMost: false },
          },
        },
        {
          ...{ shard: 1, state: "live", scanned: "650", slots: 1000, occupied: 600 },
          ...{ appliedTotal: "650", catchUp: null },
        },
      ],
    });
  });

  test("tells none while no scan runs, and as often as --progress says", () => {
    const stage = displayStage({ json: true, pace: { everyMs: 1_000 } });
    report(stage, { everyMs: 500, forMs: 60_000, shards: [snapshotOf()] });
    expect(stage.written()).toEqual([]);
    report(stage, { everyMs: 250, forMs: 10_000, shards: [scanning] });
    expect(stage.written()).toHaveLength(9);
    const silent = displayStage({ json: true, pace: "off" });
    report(silent, { everyMs: 250, forMs: 10_000, shards: [scanning] });
    expect(silent.written()).toEqual([]);
  });

  test("is silent once it is closed", () => {
    const stage = displayStage({ json: true });
    stage.display.close();
    const ended: FollowerReport = {
      kind: "ended",
      shard: 0,
      error: { code: "storage", message: "m" },
      unclean: null,
    };
    stage.display.reported(ended, () => []);
    report(stage, { everyMs: 1_000, forMs: 3_000, shards: [snapshotOf()] });
    expect(stage.written()).toEqual([]);
  });
});

describe("a whole scan in the log", () => {
  const whole = {
    ...{ kind: "caught-up" as const, shard: 1, scanned: 2_000n, applied: 0n, healed: 0n },
    ...{ tookMs: 70, why: "first" as ScanWhy },
  };
  const said = (changes: Partial<typeof whole>, isVerbose = false) => {
    const stage = displayStage({ json: false, isVerbose });
    stage.display.reported({ ...whole, ...changes }, () => []);
    stage.clock.advance(10_000);
    return stage.said().slice(1);
  };

  test("is a catch-up the first time, and says afterwards why it ran and what it did", () => {
    expect(said({ applied: 2_000n })).toEqual([
      "shard 1: caught up, 2,000 records received, 2,000 applied, 70 ms",
    ]);
    expect(said({ why: "old-ring" })).toEqual([
      "shard 1: rescan, because events may have been lost before the first connection: nothing to repair",
    ]);
    expect(said({ why: "loss", applied: 1_500n, healed: 1_500n })).toEqual([
      "shard 1: rescan, because events may have been lost: this scan repaired 1,500 slots",
    ]);
    expect(said({ why: "asked" })).toEqual([
      "shard 1: rescan, asked by compare: nothing to repair",
    ]);
    expect(said({ why: "reconnect", applied: 1n })).toEqual([
      "shard 1: rescan, because the connection was lost: 1 slot brought up to date",
    ]);
  });

  test("by the calendar is news only where it repaired something, or with -v", () => {
    expect(said({ why: "calendar", applied: 7n })).toEqual([]);
    expect(said({ why: "calendar", applied: 7n, healed: 7n })).toEqual([
      "shard 1: rescan, because it was time for one: this scan repaired 7 slots",
    ]);
    expect(said({ why: "calendar" }, true)).toEqual([
      "shard 1: rescan, because it was time for one: nothing to repair",
    ]);
  });

  test("of many shards at once is one line for what they did together", () => {
    const stage = displayStage({ json: false, shardCount: () => 255 });
    for (let shard = 0; shard < 255; shard++) {
      stage.display.reported({ ...whole, shard, applied: 9n }, () => []);
      stage.display.reported({ ...whole, shard, why: "reconnect", applied: 2n }, () => []);
    }
    stage.clock.advance(10_000);
    stage.display.ready(0);
    expect(stage.said().slice(1, -1)).toEqual([
      "shards 0 to 254: rescan, because the connection was lost: 510 slots brought up to date",
      "shards 0 to 254: caught up, 510,000 records received, 2,295 applied, 70 ms",
    ]);
  });
});

describe("a scan of two hours off a terminal", () => {
  const HOURS_MS = 2 * 3_600_000;

  /** All shards come on together, told four times a second. */
  function scanned(options: Partial<FollowDisplayOptions> = {}): string[] {
    const stage = displayStage({ json: false, ...options });
    const shardOf = (shard: number, ms: number) => {
      const slot = Math.floor((ms / HOURS_MS) * 1_000_000);
      const scan = { link: 1, kind: "first", why: "first", phase: "scanning", ms, slot } as const;
      const counts = { slots: 1_000_000, scanned: Math.floor(slot / 2), occupied: slot };
      return snapshotOf({ shard, state: "scanning", scan, ...counts });
    };
    for (let ms = 0; ms < HOURS_MS; ms += 250) {
      const shards = [0, 1, 2, 3].map((shard) => shardOf(shard, ms));
      for (const snapshot of shards) {
        stage.display.reported({ kind: "snapshot", snapshot }, () => shards);
      }
      stage.clock.advance(250);
    }
    return stage.said().slice(1);
  }

  test("is told of in at most 130 lines, with the share by slots and the rate by records", () => {
    const lines = scanned();
    expect(lines).toHaveLength(123);
    expect(lines[5]).toBe("replicate: catch-up 1.6 %, 276 records/s, 1 h 58 m left; 4 scanning");
    expect(lines.at(-1)).toBe("replicate: catch-up 99.1 %, 276 records/s, 1 m left; 4 scanning");
  });

  test("is told of as often as --progress says", () => {
    expect(scanned({ pace: { everyMs: 600_000 } })).toHaveLength(11);
    expect(scanned({ pace: "off" })).toEqual([]);
  });
});

describe("a running follower with text", () => {
  test("names ten diverged slots and counts the rest, with what to try", () => {
    const stage = displayStage({ json: false });
    const slots = Array.from({ length: 12 }, (_, slot) => ({
      ...{ slot, kind: "older" as const, here: 9, there: 5 },
    }));
    stage.display.reported({ kind: "diverged", shard: 3, slots, total: 40 }, () => []);
    stage.clock.advance(1_000);
    const said = stage.stderr.text;
    expect(said).toContain(
      "shard 3: 40 slots differ from the leader (kept): 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... Try: armdb compare replica db:7400;",
    );
  });

  test("says of diverged slots what compare says of them", () => {
    const newer = { slot: 3, kind: "older" as const, here: 37, there: 21 };
    const extra = { slot: 5, kind: "missing" as const, here: 37, there: null };
    const other = { slot: 7, kind: "same-version" as const, here: 37, there: 37 };
    const report = { kind: "diverged" as const, shard: 3, slots: [newer, extra, other], total: 3 };
    const text = displayStage({ json: false });
    text.display.reported(report, () => []);
    text.clock.advance(1_000);
    expect(text.stderr.text).toContain(
      "shard 3: 1 slot is newer here than at the leader (kept): 3; " +
        "1 slot has other bytes here than at the leader (kept): 7; 1 slot is extra here (kept): 5.",
    );
    const json = displayStage({ json: true });
    json.display.reported(report, () => []);
    const [line] = json.written() as { slots: { kind: string }[] }[];
    expect(line?.slots.map(({ kind }) => kind)).toEqual(["newer", "extra", "value"]);
  });

  test("is stopped with every shard closed, or names those that are not closed clean, and why", () => {
    const clean = displayStage({ json: false });
    clean.display.reported({ kind: "ended", shard: 0, error: null, unclean: null }, () => []);
    clean.display.summary("stopped");
    expect(clean.stderr.text).toContain("Stopped. Every shard is closed.");

    const stage = displayStage({ json: false });
    for (let shard = 0; shard < 14; shard++) {
      const unclean = shard === 5 ? null : shard === 3 ? "its thread had died" : "as it was";
      stage.display.reported({ kind: "ended", shard, error: null, unclean }, () => []);
    }
    stage.display.summary("stopped");
    expect(stage.stderr.text).not.toContain("Every shard is closed");
    expect(stage.stderr.text).toContain(
      "Stopped; not closed clean: shards 0, 1, 2, 4, 6, 7, 8, 9, 10, 11 and 2 more (as it was); shard 3 (its thread had died)",
    );
  });

  test("says of a stop before the first copy was complete that it can go on, whatever is closed", () => {
    const clean = displayStage({ json: false });
    clean.display.summary("stopped", { isIncomplete: true });
    expect(clean.stderr.text).toEndWith(
      "Stopped before the copy was complete; the same command goes on\n",
    );
    const open = displayStage({ json: false });
    const unclean = "as it was";
    open.display.reported({ kind: "ended", shard: 3, error: null, unclean }, () => []);
    open.display.summary("stopped", { isIncomplete: true });
    expect(open.stderr.text).toEndWith(
      "Stopped before the copy was complete; the same command goes on. Not closed clean: shard 3 (as it was)\n",
    );
  });
});
