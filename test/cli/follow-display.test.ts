// What scripts and people see of a running follower, report by report.

import { describe, expect, test } from "bun:test";
import { FollowDisplay } from "../../src/cli/render/follow-display.ts";
import { glyphsOf } from "../../src/cli/surface/glyphs.ts";
import { createMessages } from "../../src/cli/surface/messages.ts";
import { createOutput } from "../../src/cli/surface/output.ts";
import { createPalette } from "../../src/cli/surface/palette.ts";
import type { FollowerReport, ShardSnapshot } from "../../src/replica/follower-types.ts";
import { snapshotOf } from "../status/facts.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemorySink } from "./fake-machine.ts";

function displayed(options: { readonly json: boolean }) {
  const clock = new ManualClock();
  const stdout = new MemorySink();
  const stderr = new MemorySink();
  const palette = createPalette(false);
  const out = createOutput({
    sink: stdout,
    palette,
    styled: false,
    display: null,
    watchTerminal: () => () => {},
  });
  const messages = createMessages({
    sink: stderr,
    palette,
    styled: false,
    display: null,
    level: "info",
    format: "text",
    json: options.json,
    journal: false,
    glyphs: glyphsOf({ LANG: "C.UTF-8" }),
    pace: null,
    confirm: null,
    nowMs: () => clock.nowMs(),
    wallMs: () => clock.wallMs(),
  });
  const context = { messages, json: options.json, out, clock };
  const display = new FollowDisplay(context, { leader: "db:7400", dir: "replica", once: false });
  const written = () => {
    out.flush();
    return stdout.lines.map((line) => JSON.parse(line));
  };
  return { clock, display, written, stderr };
}

/** Has one report of a shard shown each `everyMs`, for `forMs`. */
function report(
  { clock, display }: ReturnType<typeof displayed>,
  { everyMs, forMs, shards }: { everyMs: number; forMs: number; shards: readonly ShardSnapshot[] },
): void {
  for (let atMs = 0; atMs < forMs; atMs += everyMs) {
    clock.advance(everyMs);
    const snapshot = shards[(atMs / everyMs) % shards.length] as ShardSnapshot;
    display.reported({ kind: "snapshot", snapshot }, () => shards);
  }
}

describe("a running follower with --json", () => {
  test("tells the progress of all shards together, at most once in 0.9 s", () => {
    const stage = displayed({ json: true });
    report(stage, {
      everyMs: 50,
      forMs: 9_000,
      shards: [snapshotOf({ appliedTotal: 5n }), snapshotOf({ shard: 1 })],
    });
    const lines = stage.written();
    expect(lines).toHaveLength(10);
    expect(lines[0]).toEqual({
      schema: 1,
      type: "progress",
      shards: [
        { shard: 0, state: "live", scanned: "650", slots: 1000, occupied: 600, appliedTotal: "5" },
        {
          shard: 1,
          state: "live",
          scanned: "650",
          slots: 1000,
          occupied: 600,
          appliedTotal: "650",
        },
      ],
    });
  });

  test("tells every figure of a shard that reports once a second, a little early or late", () => {
    const stage = displayed({ json: true });
    for (let second = 0; second < 20; second++) {
      report(stage, { everyMs: 980, forMs: 980, shards: [snapshotOf()] });
      report(stage, { everyMs: 1_020, forMs: 1_020, shards: [snapshotOf()] });
    }
    expect(stage.written()).toHaveLength(40);
  });

  test("is silent once it is closed", () => {
    const stage = displayed({ json: true });
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
    ...{ tookMs: 70, why: "first" as const },
  };
  const said = (changes: Partial<Extract<FollowerReport, { kind: "caught-up" }>>) => {
    const stage = displayed({ json: false });
    stage.display.reported({ ...whole, ...changes }, () => []);
    return stage.stderr.text.split("\n").at(-2);
  };

  test("is a catch-up the first time, and says afterwards why it ran and what it did", () => {
    expect(said({ applied: 2_000n })).toBe(
      "shard 1: caught up, 2,000 slots scanned, 2,000 applied, 70 ms",
    );
    expect(said({ why: "old-ring" })).toBe(
      "shard 1: rescan, because events may have been lost before the first connection: nothing to repair",
    );
    expect(said({ why: "loss", applied: 1_500n, healed: 1_500n })).toBe(
      "shard 1: rescan, because events may have been lost: this scan repaired 1,500 slots",
    );
    expect(said({ why: "reconnect", applied: 1n })).toBe(
      "shard 1: rescan, because the connection was lost: 1 slot brought up to date",
    );
  });
});

describe("a running follower with text", () => {
  test("names ten diverged slots and counts the rest, with what to try", () => {
    const stage = displayed({ json: false });
    const slots = Array.from({ length: 12 }, (_, slot) => ({
      ...{ slot, kind: "older" as const, here: 9, there: 5 },
    }));
    stage.display.reported({ kind: "diverged", shard: 3, slots, total: 40 }, () => []);
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
    const text = displayed({ json: false });
    text.display.reported(report, () => []);
    expect(text.stderr.text).toContain(
      "shard 3: 1 slot is newer here than at the leader (kept): 3; " +
        "1 slot has other bytes here than at the leader (kept): 7; 1 slot is extra here (kept): 5.",
    );
    const json = displayed({ json: true });
    json.display.reported(report, () => []);
    const [line] = json.written() as { slots: { kind: string }[] }[];
    expect(line?.slots.map(({ kind }) => kind)).toEqual(["newer", "extra", "value"]);
  });

  test("is stopped in good order where every shard is closed clean, else names those that are not, and why", () => {
    const clean = displayed({ json: false });
    clean.display.reported({ kind: "ended", shard: 0, error: null, unclean: null }, () => []);
    clean.display.summary("stopped");
    expect(clean.stderr.text).toContain("Stopped in good order");

    const stage = displayed({ json: false });
    for (let shard = 0; shard < 14; shard++) {
      const unclean = shard === 5 ? null : shard === 3 ? "its thread had died" : "as it was";
      stage.display.reported({ kind: "ended", shard, error: null, unclean }, () => []);
    }
    stage.display.summary("stopped");
    expect(stage.stderr.text).not.toContain("good order\n");
    expect(stage.stderr.text).toContain(
      "Stopped; not closed clean: shards 0, 1, 2, 4, 6, 7, 8, 9, 10, 11 and 2 more (as it was); shard 3 (its thread had died)",
    );
  });
});
