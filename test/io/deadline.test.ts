// A limit on somebody else's answer, and our own pauses.

import { describe, expect, test } from "bun:test";
import { deadline } from "../../src/io/deadline.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";
import { SimProcess } from "../support/sim-process.ts";

function limited(): { clock: ManualClock; held: SimProcess; overs: number[]; cancel: () => void } {
  const clock = new ManualClock(0);
  const held = new SimProcess(clock, new MemoryNet(clock));
  const overs: number[] = [];
  const { cancel } = deadline(held.clock, 5_000, () => void overs.push(clock.nowMs()));
  return { clock, held, overs, cancel };
}

describe("deadline()", () => {
  test("is over once, at its time", () => {
    const { clock, overs } = limited();
    clock.advance(20_000);
    expect(overs).toEqual([5_000]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("begins anew when it comes more than 2 s late", () => {
    const { clock, held, overs } = limited();
    clock.advance(3_000);
    held.stop();
    clock.advance(4_100);
    held.goOn();
    clock.advance(4_000);
    expect(overs).toEqual([]);
    clock.advance(4_000);
    expect(overs).toEqual([12_100]);
  });

  test("stands when it comes less late", () => {
    const { clock, held, overs } = limited();
    held.stop();
    clock.advance(6_900);
    held.goOn();
    expect(overs).toEqual([6_900]);
  });

  test("is not over when it was cancelled, before or after a pause", () => {
    const first = limited();
    first.cancel();
    first.clock.advance(20_000);
    const second = limited();
    second.held.stop();
    second.clock.advance(10_000);
    second.held.goOn();
    second.cancel();
    second.clock.advance(20_000);
    expect([first.overs, second.overs]).toEqual([[], []]);
    expect(second.clock.pendingTimers).toBe(0);
  });
});
