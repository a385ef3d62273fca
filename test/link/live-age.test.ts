// The bound on the age of what came over one connection, from the frames alone: heartbeats count from CaughtUp on, the period is
// the leader's own within bounds, and what came out of silence was sent when it came.

import { describe, expect, test } from "bun:test";
import { LiveAge } from "../../src/link/live-age.ts";

/** Past a scan of one batch that took a second, at 11 s. */
function streaming(): LiveAge {
  const age = new LiveAge();
  age.scanBegan(10_000, 10_000);
  age.scanBatch(10_500, 64);
  age.caughtUp(11_000);
  age.chunk(11_000);
  return age;
}

/** Heartbeats at these times, each right behind a batch of a busy leader. */
function beats(age: LiveAge, ...atMs: number[]): void {
  for (const each of atMs) {
    age.batch(each, true);
    age.heartbeat(each);
    age.chunk(each);
  }
}

describe("LiveAge", () => {
  test("knows nothing before the ring was seen empty: events wait behind CaughtUp", () => {
    const age = streaming();
    expect(age.heldAtMs(11_001)).toBeNull();
    age.batch(11_100, true);
    expect(age.heldAtMs(11_100)).toBeNull();
    age.batch(11_200, false);
    expect(age.heldAtMs(11_200)).toBe(10_000);
  });

  test("moves on by a period a heartbeat, whenever it comes", () => {
    const age = streaming();
    beats(age, 16_000);
    expect(age.heldAtMs(16_000)).toBe(15_010);
    // They wait behind megabytes: 9 s from one to the next.
    beats(age, 25_000, 34_000);
    expect(age.heldAtMs(34_000)).toBe(25_060);
    // And then they come at once: no later than now.
    beats(age, 34_100, 34_101, 34_102, 34_103);
    expect(age.heldAtMs(34_103)).toBeLessThanOrEqual(34_103);
    expect(age.heldAtMs(34_103)).toBeGreaterThan(34_000);
  });

  test("takes the leader's own period, by the median of the last nine, within 5.000 and 5.025 s", () => {
    const lastStepMs = (periodMs: number) => {
      const age = streaming();
      let atMs = 16_000;
      // An hour's delay that never shrinks: what a heartbeat adds is the period alone.
      for (let beat = 0; beat < 20; beat++, atMs += periodMs) beats(age, atMs + 3_600_000);
      const before = age.heldAtMs(atMs + 3_600_000) ?? 0;
      beats(age, atMs + 3_600_000);
      return (age.heldAtMs(atMs + 3_600_000) ?? 0) - before;
    };
    expect(lastStepMs(5_006)).toBe(5_016);
    expect(lastStepMs(4_000)).toBe(5_010);
    expect(lastStepMs(9_000)).toBe(5_025);
  });

  test("a heartbeat with 500 ms of silence before and after it was sent when it came", () => {
    const quiet = (before: number, after: number | null) => {
      const age = streaming();
      age.batch(20_000 - before, false);
      age.chunk(20_000 - before);
      age.heartbeat(20_000);
      age.chunk(20_000);
      if (after !== null) age.batch(20_000 + after, false);
      return age.heldAtMs(20_499 + (after === null ? 1 : 0)) ?? 0;
    };
    expect(quiet(500, null)).toBe(20_000);
    expect(quiet(499, null)).toBe(15_010);
    expect(quiet(500, 499)).toBe(15_010);
    // In the same chunk as the heartbeat: no silence.
    expect(quiet(500, 0)).toBe(15_010);
    expect(quiet(0, null)).toBe(15_010);
  });

  test("half a frame behind it, in the same bytes, is more that waited: a slow link brings the rest later", () => {
    const age = streaming();
    age.batch(15_000, false);
    age.chunk(15_000, true);
    age.heartbeat(20_000);
    age.chunk(20_000, true);
    expect(age.heldAtMs(21_000)).toBe(15_010);
  });

  test("half a frame is no silence", () => {
    const age = streaming();
    age.heartbeat(20_000);
    age.chunk(20_000);
    age.chunk(20_300);
    expect(age.heldAtMs(21_000)).toBe(15_010);
  });

  test("what may be the echo of our probe is no heartbeat of the leader's clock, and the next one is", () => {
    const age = streaming();
    age.probed();
    age.heartbeat(17_900);
    expect(age.heldAtMs(18_900)).toBeNull();
    beats(age, 22_600);
    expect(age.heldAtMs(22_600)).toBe(15_010);
  });

  test("a heartbeat soon behind a CaughtUp that was late counts from when that may have been sent", () => {
    const age = streaming();
    beats(age, 11_600);
    expect(age.heldAtMs(11_600)).toBe(11_600);
    const old = new LiveAge();
    old.scanBegan(1_000, 1_000);
    old.scanBatch(1_500, 64);
    old.caughtUp(11_000);
    beats(old, 11_600);
    expect(old.heldAtMs(11_600)).toBe(6_010);
  });

  test("a long scan counts from the batch whose ack let the leader send the end of it", () => {
    const age = new LiveAge();
    age.scanBegan(0, 1_000);
    for (let batch = 1; batch <= 100; batch++) age.scanBatch(1_000 + batch * 100, 10);
    age.caughtUp(11_000);
    age.batch(11_001, false);
    // Batch 90, ten before the last.
    expect(age.heldAtMs(11_001)).toBe(10_000);
    // None is ahead of its ack.
    const strict = new LiveAge();
    strict.scanBegan(0, 1_000);
    for (let batch = 1; batch <= 3; batch++) strict.scanBatch(1_000 + batch * 100, 0);
    strict.batch(2_000, false);
    expect(strict.heldAtMs(2_000)).toBe(1_200);
  });

  test("a whole scan beside the stream is as good, and nothing goes back", () => {
    const age = streaming();
    beats(age, 60_000);
    age.holds(50_000);
    expect(age.heldAtMs(60_000)).toBe(50_000);
    age.holds(40_000);
    expect(age.heldAtMs(60_000)).toBe(50_000);
  });
});
