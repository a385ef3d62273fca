// What is said of being held up: one line for all that were held up at once.

import { describe, expect, test } from "bun:test";
import type { FollowerReport } from "../../src/replica/follower-types.ts";
import { HeldUpLog } from "../../src/replica/held-up-log.ts";
import { ManualClock } from "../support/manual-clock.ts";

type Log = Extract<FollowerReport, { kind: "log" }>;

function log(shard: number, heldUpMs: number): Log {
  const text = `held up for ${Math.round(heldUpMs / 1000)} s`;
  return { kind: "log", shard, level: "warn", text, heldUpMs };
}

describe("being held up", () => {
  const clock = new ManualClock();
  const said: string[] = [];
  const heldUp = new HeldUpLog(clock, ({ shard, text }) => void said.push(`${shard}: ${text}`));

  test("is said once for all shards of a process, with the longest", () => {
    for (let shard = 0; shard < 255; shard++) {
      expect(heldUp.takes(log(shard, 19_000 + shard))).toBe(true);
      if (shard === 100) clock.advance(900);
    }
    clock.advance(10_000);
    expect(said.splice(0)).toEqual(["null: held up for 19 s"]);
  });

  test("is a shard's own where it was alone, and each time it is", () => {
    heldUp.takes(log(3, 36_000));
    clock.advance(5_000);
    heldUp.takes(log(3, 4_000));
    heldUp.flush();
    clock.advance(5_000);
    expect(said.splice(0)).toEqual(["3: held up for 36 s", "3: held up for 4 s"]);
  });

  test("leaves every other word alone", () => {
    const { heldUpMs: _, ...other } = log(0, 1);
    expect(heldUp.takes(other)).toBe(false);
    clock.advance(5_000);
    expect(said).toEqual([]);
  });
});
