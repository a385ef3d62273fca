// A disk that does not answer, in simulated time: while a call hangs its thread makes no report, and yet the durable lag grows, a slow
// write counts, and it is said what is waited for. Counters never go back afterwards.

import { describe, expect, test } from "bun:test";
import type { Clock } from "../../src/io/clock.ts";
import { durableLagMs } from "../../src/status/lag.ts";
import { wordOf } from "../support/disk-log.ts";
import type { SimFollower } from "../support/sim-follower.ts";
import { SimStage } from "../support/sim-stage.ts";

const HANG_MS = 60_000;

class HangingStage {
  readonly stage = new SimStage();
  /** Time that has passed inside calls of the disk. */
  #heldMs = 0;
  readonly clock: Clock = {
    nowMs: () => this.stage.clock.nowMs() + this.#heldMs,
    wallMs: () => this.stage.clock.wallMs() + this.#heldMs,
    after: (delayMs, run) => this.stage.clock.after(delayMs, run),
  };
  follower: SimFollower;

  constructor() {
    this.stage.leader.put(0, 1, 1);
    this.follower = this.#follow();
  }

  /** Closed in good order, and started again. */
  restart(): void {
    this.follower.supervisor.stop();
    this.stage.until("the end", () => this.follower.ended !== undefined, 5_000);
    this.follower = this.#follow();
  }

  #follow(): SimFollower {
    const follower = this.stage.follow({ clock: this.clock });
    this.stage.until("ready", () => follower.ready, 10_000);
    this.stage.clock.advance(1_000);
    return follower;
  }

  /** What is shown of the shard now. */
  shown() {
    const [view] = this.follower.supervisor.shards;
    if (view?.snapshot == null) throw new Error("nothing is shown");
    const { snapshot, heardAtMs } = view;
    const { activity, slowWrites, slowestWriteMs } = snapshot;
    const lagMs = durableLagMs(snapshot, heardAtMs, this.clock.nowMs());
    return { activity, slowWrites, slowestWriteMs, durableLagMs: lagMs };
  }

  /** The next call of that kind hangs; what is shown before, each time so much has passed, and at the end. */
  hang(word: string, ...piecesMs: number[]) {
    const shown: ReturnType<HangingStage["shown"]>[] = [];
    this.stage.disk.faults = (call) => {
      if (wordOf(call) !== word || shown.length > 0) return null;
      for (const pieceMs of piecesMs) {
        this.#heldMs += pieceMs;
        shown.push(this.shown());
      }
      return null;
    };
    this.stage.leader.put(0, 1, 2);
    this.stage.clock.advance(500);
    expect(shown).toHaveLength(piecesMs.length);
    return shown;
  }
}

describe("while the disk does not answer", () => {
  test("a write of slots shows as what is waited for, as a slow write, and as durable lag that grows", () => {
    const stage = new HangingStage();
    const [atOnce, soon, late] = stage.hang("write slots fixed.data", 50, 100, HANG_MS);
    expect(atOnce).toMatchObject({ activity: "following the live stream", slowWrites: 0 });
    expect(atOnce?.durableLagMs).toBe(50);
    expect(soon).toMatchObject({ slowWrites: 1, slowestWriteMs: 150, durableLagMs: 150 });
    expect(late).toEqual({
      activity: "waiting 60 s for pwrite",
      slowWrites: 1,
      slowestWriteMs: HANG_MS + 150,
      durableLagMs: HANG_MS + 150,
    });
  });

  test("a slow write that was shown is not taken back, nor counted twice", () => {
    const stage = new HangingStage();
    stage.hang("write slots fixed.data", HANG_MS);
    // The snapshot that has it comes a second later.
    expect(stage.shown().slowWrites).toBe(1);
    stage.stage.clock.advance(5_000);
    expect(stage.shown()).toMatchObject({ slowWrites: 1, slowestWriteMs: HANG_MS });
    expect(stage.shown().durableLagMs).toBeLessThan(100);
  });

  test("a sync before the first write shows as durable lag", () => {
    const stage = new HangingStage();
    stage.restart();
    const [shown] = stage.hang("fdatasync fixed.data", HANG_MS);
    expect(shown).toMatchObject({
      activity: "waiting 60 s for fdatasync",
      slowWrites: 0,
      durableLagMs: HANG_MS,
    });
  });
});

test("a sync that hangs on its own thread shows too, and the end waits for it by name", () => {
  const stage = new SimStage();
  stage.leader.put(0, 1, 1);
  let syncMs = 1;
  const follower = stage.follow({ syncMs: () => syncMs });
  stage.until("ready", () => follower.ready, 10_000);
  syncMs = HANG_MS;
  stage.leader.put(0, 1, 2);
  const shown = () => {
    const [view] = follower.supervisor.shards;
    const { snapshot, heardAtMs } = view as NonNullable<typeof view>;
    if (snapshot === null) throw new Error("nothing is shown");
    return {
      activity: snapshot.activity,
      lagMs: durableLagMs(snapshot, heardAtMs, stage.clock.nowMs()),
    };
  };
  stage.clock.advance(12_000);
  expect(shown().activity).toMatch(/^waiting 1[12] s for fdatasync$/);
  expect(shown().lagMs).toBeGreaterThan(11_000);
  follower.supervisor.stop();
  stage.clock.advance(8_000);
  expect(shown().activity).toMatch(/^stopping: waiting (19|20) s for fdatasync$/);
  stage.until("the end", () => follower.ended !== undefined, HANG_MS);
  expect(follower.ended).toBe(null);
});
