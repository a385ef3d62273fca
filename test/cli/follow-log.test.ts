// The lines that a running follower says of its shards: together what meets them together, once what does not change, seldom what
// comes again and again.

import { describe, expect, test } from "bun:test";
import type { FollowerReport, ShardSnapshot } from "../../src/replica/follower-types.ts";
import { shardNames } from "../../src/cli/render/shard-names.ts";
import { snapshotOf } from "../status/facts.ts";
import { type DisplayStage, displayStage } from "./display-stage.ts";

const REFUSED = "no connection: ECONNREFUSED";

type Log = Extract<FollowerReport, { kind: "log" }>;

function reason(shard: number, text = REFUSED): Log {
  return { kind: "log", shard, level: "warn", text, reasonOf: "main" };
}

function stageOf(shards: number, isVerbose = false): DisplayStage & { all(): string[] } {
  const stage = displayStage({ json: false, shardCount: () => shards, isVerbose });
  return { ...stage, all: () => stage.said().slice(1) };
}

function report({ display }: DisplayStage, ...reports: readonly FollowerReport[]): void {
  for (const one of reports) display.reported(one, () => []);
}

/** Each of the shards is as that says. */
function are(stage: DisplayStage, shards: number, changes: Partial<ShardSnapshot>): void {
  for (let shard = 0; shard < shards; shard++) {
    report(stage, { kind: "snapshot", snapshot: snapshotOf({ shard, ...changes }) });
  }
}

test.each([
  [[3], "shard 3"],
  [[0, 1], "shards 0 and 1"],
  [Array.from({ length: 255 }, (_, shard) => shard), "shards 0 to 254"],
  [[9, 1, 3, 7, 8], "shards 1, 3 and 7 to 9"],
  [[0, 2, 4, 6, 8], "shards 0, 2, 4, 6 and 8"],
  [[0, 2, 4, 6, 8, 10, 11], "shards 0, 2, 4, 6 and 3 more"],
])("shards %j are named in few words", (shards, text) => {
  expect(shardNames(shards)).toBe(text);
});

describe("one cause that meets many shards", () => {
  test("is one line, and with -v one for each", () => {
    const stage = stageOf(255);
    for (let shard = 0; shard < 255; shard++) report(stage, reason(shard));
    stage.clock.advance(1_000);
    expect(stage.all()).toEqual([`warning: shards 0 to 254: ${REFUSED}`]);
    const verbose = stageOf(255, true);
    for (let shard = 0; shard < 255; shard++) report(verbose, reason(shard));
    expect(verbose.all()).toHaveLength(255);
    expect(verbose.all()[7]).toBe(`warning: shard 7: ${REFUSED}`);
  });

  test("of a follower with one shard, or of all together, does not wait for others", () => {
    const stage = stageOf(1);
    report(stage, reason(0), { kind: "log", shard: null, level: "warn", text: "the disk is slow" });
    stage.clock.settle();
    expect(stage.all()).toEqual(["warning: the disk is slow", `warning: shard 0: ${REFUSED}`]);
  });

  test("is not told of again while it lasts, but where the shard was well for a minute meanwhile", () => {
    const stage = stageOf(1);
    are(stage, 1, {});
    for (let time = 0; time < 100; time++) {
      report(stage, reason(0), reason(0, `no heartbeat for ${time} s`));
      are(stage, 1, { state: "waiting" });
      stage.clock.advance(30_000);
      // A stream that does not last.
      are(stage, 1, { state: "live" });
      stage.clock.advance(20_000);
    }
    expect(stage.all()).toEqual([
      `warning: shard 0: ${REFUSED}`,
      "warning: shard 0: no heartbeat for 0 s",
    ]);
    are(stage, 1, { state: "live" });
    stage.clock.advance(60_000);
    are(stage, 1, { state: "live" });
    report(stage, reason(0));
    stage.clock.advance(1_000);
    expect(stage.all()).toHaveLength(3);
  });
});

describe("lines of one kind", () => {
  test("come at once the first time, then once in 10 s with how many there were", () => {
    const stage = stageOf(2);
    const reset = (slots: number): Log => {
      const text = `the leader reset ${slots} slots that were good here: saved in armdb-reset-0.log`;
      return { kind: "log", shard: 0, level: "warn", text };
    };
    report(stage, reset(1));
    stage.clock.advance(1_000);
    expect(stage.all()).toHaveLength(1);
    for (let slots = 2; slots <= 39; slots++) {
      report(stage, reset(slots));
      stage.clock.advance(200);
    }
    expect(stage.all()).toHaveLength(1);
    stage.clock.advance(10_000);
    expect(stage.all()).toEqual([
      "warning: shard 0: the leader reset 1 slots that were good here: saved in armdb-reset-0.log",
      "warning: shard 0: the leader reset 39 slots that were good here: saved in armdb-reset-0.log (and 37 more)",
    ]);
    stage.clock.advance(60_000);
    report(stage, reset(40));
    stage.clock.advance(1_000);
    expect(stage.all()).toHaveLength(3);
  });

  test("are all said in the end", () => {
    const stage = stageOf(4);
    const say = (shard: number): Log => ({
      kind: "log",
      shard,
      level: "info",
      text: `odd: ${shard}`,
    });
    report(stage, say(0));
    stage.clock.advance(1_000);
    report(stage, say(1), say(2));
    stage.clock.advance(1_000);
    report(stage, say(3));
    stage.display.close();
    expect(stage.all()).toEqual(["shard 0: odd: 0", "shard 3: odd: 3 (and 2 more)"]);
    expect(stage.clock.pendingTimers).toBe(0);
  });

  test("of a shard that differs are said once for the same slots, scan after scan", () => {
    const stage = stageOf(1);
    const differs = (total: number): FollowerReport => ({
      ...{ kind: "diverged", shard: 0, total },
      slots: [{ slot: 3, kind: "older", here: 37, there: 21 }],
    });
    for (let scan = 0; scan < 24; scan++) {
      report(stage, differs(1));
      stage.clock.advance(3_600_000);
    }
    expect(stage.all()).toHaveLength(1);
    report(stage, differs(2));
    stage.clock.advance(10_000);
    are(stage, 1, { divergedSlots: 0 });
    report(stage, differs(2));
    stage.clock.advance(10_000);
    expect(stage.all()).toHaveLength(3);
  });
});

describe("how all shards are together", () => {
  const waiting = { state: "waiting", activity: `${REFUSED}; again in 1.0 s` } as const;
  const ready = () => {
    const stage = stageOf(4);
    are(stage, 4, { state: "connecting", activity: "asking for the live stream" });
    stage.display.ready(0);
    are(stage, 4, {});
    stage.clock.advance(60_000);
    expect(stage.all()).toHaveLength(1);
    return stage;
  };

  test("is a line when it changes, with its reason; that all is well again when it has lasted", () => {
    const stage = ready();
    are(stage, 1, waiting);
    stage.clock.advance(1_000);
    expect(stage.all().slice(1)).toEqual([`3 of 4 shards live, 1 waiting (${REFUSED})`]);
    are(stage, 4, waiting);
    stage.clock.advance(2_000);
    expect(stage.all().at(-1)).toBe(`0 of 4 shards live, 4 waiting (${REFUSED})`);
    are(stage, 4, {});
    stage.clock.advance(4_000);
    expect(stage.all()).toHaveLength(3);
    stage.clock.advance(2_000);
    expect(stage.all().slice(3)).toEqual(["4 of 4 shards live"]);
  });

  test("is no news while a connection is made, or while scans come by themselves", () => {
    const stage = ready();
    const scan = { link: 2, kind: "rescan", phase: "scanning", ms: 0, slot: 1 } as const;
    are(stage, 4, { state: "connecting", activity: "opening the stream again" });
    are(stage, 4, { state: "scanning", scan: { ...scan, why: "calendar" } });
    stage.clock.advance(60_000);
    expect(stage.all()).toHaveLength(1);
    are(stage, 4, { state: "scanning", scan: { ...scan, why: "loss" } });
    stage.clock.advance(1_000);
    expect(stage.all().slice(1)).toEqual([
      "0 of 4 shards live, 4 scanning (events may have been lost)",
    ]);
  });

  test("is told less and less often while it changes all the time", () => {
    const stage = ready();
    for (let second = 0; second < 3_600; second++) {
      are(stage, (second % 4) + 1, waiting);
      are(stage, second % 4, {});
      stage.clock.advance(1_000);
    }
    expect(stage.all().length).toBeLessThan(70);
  });

  test("is no news while the follower stops", () => {
    const stage = ready();
    stage.display.stopping();
    are(stage, 4, { state: "stopped", activity: "stopped" });
    stage.clock.advance(60_000);
    expect(stage.all()).toHaveLength(1);
    expect(stage.clock.pendingTimers).toBe(0);
  });
});
