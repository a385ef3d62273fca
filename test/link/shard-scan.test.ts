// One scan over one link: when it was whole, and every way in which it was not.

import { describe, expect, test } from "bun:test";
import { scanStallMs } from "../../src/link/shard-scan.ts";
import { ERROR_EVENTS_DROPPED } from "../../src/wire/messages.ts";
import { ScanStage } from "./scan-stage.ts";

/** A scan of two slots that has caught up. */
function caughtUp(): ScanStage {
  const stage = new ScanStage();
  stage.begin();
  stage.say(stage.batch(3, 7), stage.caughtUp(2));
  return stage;
}

function range(from: number, end: number): number[] {
  return Array.from({ length: end - from }, (_, index) => from + index);
}

describe("a scan is whole", () => {
  test("when the totals agree, and the leader is vouched for 100 ms later", () => {
    const stage = caughtUp();
    stage.clock.advance(90);
    expect(stage.vouching).toBeNull();
    stage.clock.advance(20);
    expect(stage.ends).toEqual([]);
    stage.vouching?.(true);
    expect(stage.end).toMatchObject({ kind: "whole", events: 2n, protocol: 2 });
    expect(stage.heard).toEqual(["begin", "batch 3-7", "caught-up"]);
    expect(stage.link.hasEnded).toBe(false);
  });

  test("when its events dropped behind CaughtUp are told: the link ends after it", () => {
    const stage = caughtUp();
    const ended: string[] = [];
    const hear = { received: () => {}, chunkEnded: () => {} };
    const take = stage.ends.push.bind(stage.ends);
    stage.ends.push = (...ends) => {
      stage.link.handOver({ ...hear, ended: (_link, { kind }) => void ended.push(kind) });
      return take(...ends);
    };
    stage.say(stage.error(ERROR_EVENTS_DROPPED));
    expect(stage.end.kind).toBe("whole");
    expect(ended).toEqual(["leader-error"]);
  });

  test("and says when it began: no later than the leader could read a slot for it", () => {
    const stage = new ScanStage();
    const openedAtMs = stage.clock.nowMs();
    stage.clock.advance(500);
    stage.begin();
    stage.say(stage.caughtUp(0));
    stage.clock.advance(200);
    stage.vouching?.(true);
    expect(stage.end).toMatchObject({ kind: "whole", beganAtMs: openedAtMs - 1 });
  });
});

describe("a scan is cut", () => {
  const cutBy = (stage: ScanStage) => {
    const { end } = stage;
    if (end.kind === "whole") throw new Error("it was whole");
    expect(stage.link.hasEnded).toBe(true);
    return { why: end.why, reached: end.reached };
  };

  test("short, when the totals differ", () => {
    const stage = new ScanStage();
    stage.begin();
    stage.say(stage.batch(1), stage.caughtUp(2));
    expect(cutBy(stage)).toEqual({ why: "short", reached: "shard-info" });
  });

  test.each([0, 199, 5_000])("lost, when the link ends %d ms behind CaughtUp unvouched", (ms) => {
    const stage = caughtUp();
    stage.clock.advance(ms);
    stage.hangUp();
    expect(cutBy(stage)).toEqual({ why: "lost", reached: "caught-up" });
    stage.vouching?.(true);
    expect(stage.ends).toHaveLength(1);
  });

  test("lost, when nobody vouches for it", () => {
    const stage = caughtUp();
    stage.clock.advance(200);
    stage.vouching?.(false);
    expect(cutBy(stage)).toEqual({ why: "lost", reached: "caught-up" });
  });

  test("refused, with the leader's words", () => {
    const stage = new ScanStage();
    stage.say(stage.error("invalid shard_id"));
    expect(stage.end).toMatchObject({ why: "refused", leaderText: "invalid shard_id" });
  });

  test.each([
    ["a slot at the last one", [1, 2], [2, 3]],
    ["a slot before the last one", [5], [4]],
    ["slots out of order in a batch", [], [3, 2]],
    ["the same slot twice in a batch", [], [3, 3]],
    ["a slot far out of the shard", [], [16_001_000]],
    ["more events than slots", range(0, 999), [999, 1_000]],
  ])("for %s, as a violation", (_what, first, second) => {
    const stage = new ScanStage();
    stage.begin();
    if (first.length > 0) stage.say(stage.batch(...first));
    expect(stage.ends).toEqual([]);
    stage.say(stage.batch(...second));
    expect(cutBy(stage)).toEqual({ why: "violation", reached: "shard-info" });
  });

  test("by what its sink throws, which stands in it unchanged", () => {
    const stage = new ScanStage();
    const thrown = new Error("no");
    stage.onHeard = (what) => {
      if (what.startsWith("batch")) throw thrown;
    };
    stage.begin();
    stage.say(stage.batch(1));
    expect(stage.end).toMatchObject({ why: "sink", error: thrown });
  });

  test("by a stop, once", () => {
    const stage = caughtUp();
    stage.scan.stop();
    stage.scan.stop();
    expect(cutBy(stage)).toEqual({ why: "stopped", reached: "caught-up" });
  });
});

describe("a scan that stands still", () => {
  const limitMs = scanStallMs(new ScanStage().info);

  test("is given up, whatever frames come meanwhile", () => {
    const stage = new ScanStage();
    stage.begin();
    for (let ms = 0; ms < limitMs - 2_000; ms += 1_000) {
      stage.say(stage.heartbeat(), stage.batch());
      stage.clock.advance(999);
    }
    expect(stage.ends).toEqual([]);
    stage.clock.advance(4_000);
    expect(stage.end).toMatchObject({ why: "stalled", reached: "shard-info" });
  });

  test("is not one whose slots advance", () => {
    const stage = new ScanStage();
    stage.begin();
    for (let slot = 0; slot < 20; slot++) {
      stage.say(stage.batch(slot));
      stage.clock.advance(limitMs / 2);
    }
    expect(stage.ends).toEqual([]);
  });

  test("has a minute, and what 8 MiB/s need for the file, half an hour at most", () => {
    const info = { ...new ScanStage().info, slotCount: 26_214_400 };
    expect(Math.round(scanStallMs(info) / 1000)).toBe(162);
    expect(scanStallMs({ ...info, slotCount: 4_000_000_000 })).toBe(30 * 60_000);
  });
});
