// What is called durable is durable, by the log of a disk in memory: `ready`, the cursor, the Ack with --sync batch, durableLag; and
// when the syncs come.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { CURSOR_FILE, decodeCursor } from "../../src/format/cursor.ts";
import { decodeAck, FRAME_ACK } from "../../src/wire/messages.ts";
import { timesOf, wordOf } from "../support/disk-log.ts";
import type { SimFollower, SimFollowerOptions } from "../support/sim-follower.ts";
import { SIM_DIR } from "../support/sim-follower.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const DATA = `${SIM_DIR}/shard_000/fixed.data`;
const CURSOR = `${SIM_DIR}/shard_000/${CURSOR_FILE}`;
const SLOTS = 600;

function filled(): SimStage {
  const stage = new SimStage();
  for (let slot = 0; slot < SLOTS; slot++) stage.leader.put(0, slot, 1);
  return stage;
}

function liveOf(stage: SimStage, options: Partial<SimFollowerOptions> = {}): SimFollower {
  const follower = stage.follow(options);
  stage.until("live", () => follower.states().at(-1) === "live", 30_000);
  return follower;
}

/** Everything that was written to the data file would survive a power cut. */
function isDurable(stage: SimStage): boolean {
  const [bytes, durable] = [stage.disk.bytes(DATA), stage.disk.durableBytes(DATA)];
  return bytes !== null && durable !== null && Buffer.compare(bytes, durable) === 0;
}

describe("durable", () => {
  for (const sync of ["group", "batch", "off"] as const) {
    test(`ready is said when all that was caught up with is durable, and not before (--sync ${sync})`, () => {
      const stage = filled();
      const follower = stage.follow({ settings: { sync }, syncMs: () => 700 });
      let sawUndurable = false;
      stage.until(
        "ready",
        () => {
          const caughtUp = follower.reportsOf("caught-up").length > 0;
          if (!follower.ready && caughtUp) sawUndurable ||= !isDurable(stage);
          return follower.ready;
        },
        30_000,
      );
      expect(isDurable(stage)).toBe(true);
      stage.expectEqual();
      // The sync took its time, so there was a moment in which it would have been a lie.
      if (sync !== "batch") expect(sawUndurable).toBe(true);
    });
  }

  test("an Ack with --sync batch means durable", () => {
    const stage = filled();
    let acks = 0;
    stage.net.onConnection = ({ connecting }) => {
      const push = connecting.sends.push.bind(connecting.sends);
      connecting.sends.push = (...frames) => {
        for (const frame of frames) {
          if (frame[0] !== FRAME_ACK) continue;
          const ack = decodeAck(frame.subarray(5));
          acks++;
          expect(isDurable(stage)).toBe(true);
          expect(Number(ack?.appliedCount)).toBe(appliedOnDisk(stage));
        }
        return push(...frames);
      };
    };
    liveOf(stage, { settings: { sync: "batch" }, syncMs: () => 20 });
    for (let slot = 0; slot < 10; slot++) {
      stage.leader.put(0, slot, 2);
      stage.clock.advance(100);
    }
    expect(acks).toBeGreaterThan(10);
  });

  test("durableLag is the age of the oldest write that no sync has covered", () => {
    const stage = filled();
    const follower = liveOf(stage, { syncMs: () => 3_000 });
    stage.until("durable", () => isDurable(stage), 10_000);
    stage.clock.advance(5_000);
    expect(follower.shard().oldestUnsyncedAtMs).toBe(null);
    stage.leader.put(0, 1, 2);
    stage.clock.advance(1);
    const writtenAtMs = timesOf(stage.disk, "write slots fixed.data").at(-1);
    // More writes while the first sync runs: the oldest is what counts, then the oldest that the sync did not cover.
    stage.clock.advance(1_500);
    stage.leader.put(0, 2, 2);
    stage.clock.advance(1_000);
    expect(follower.shard().oldestUnsyncedAtMs).toBe(writtenAtMs ?? -1);
    const secondAtMs = timesOf(stage.disk, "write slots fixed.data").at(-1);
    stage.clock.advance(2_000);
    expect(follower.shard().oldestUnsyncedAtMs).toBe(secondAtMs ?? -1);
    stage.clock.advance(4_000);
    expect(follower.shard().oldestUnsyncedAtMs).toBe(null);
    expect(isDurable(stage)).toBe(true);
  });
});

describe("--sync group", () => {
  test("starts a sync at most 50 ms after the first write that needs one, and none without", () => {
    const stage = filled();
    liveOf(stage, { syncMs: () => 0 });
    stage.clock.advance(10_000);
    const from = stage.disk.calls.length;
    stage.clock.advance(60_000);
    expect(stage.disk.calls.slice(from).map(wordOf)).not.toContain("fdatasync fixed.data");
    for (let round = 0; round < 40; round++) {
      stage.leader.put(0, round, 5);
      stage.clock.advance(7);
    }
    stage.clock.advance(1_000);
    const calls = stage.disk.calls.slice(from);
    for (const [index, call] of calls.entries()) {
      if (wordOf(call) !== "write slots fixed.data") continue;
      const sync = calls.slice(index).find((later) => wordOf(later) === "fdatasync fixed.data");
      expect((sync?.atMs ?? Number.POSITIVE_INFINITY) - call.atMs).toBeLessThanOrEqual(50);
    }
    // 40 writes in 280 ms: some six syncs, not forty.
    const syncs = calls.filter((call) => wordOf(call) === "fdatasync fixed.data");
    expect(syncs.length).toBeLessThan(10);
  });
});

describe("--sync group under writes that never end", () => {
  for (const { syncMs, waitMsMax, apartMs } of [
    { syncMs: 30, waitMsMax: 50, apartMs: 50 },
    { syncMs: 200, waitMsMax: 200, apartMs: 200 },
  ]) {
    test(`with syncs of ${syncMs} ms, a write waits at most ${waitMsMax} ms for the start of one that covers it`, () => {
      const stage = filled();
      const startsMs: number[] = [];
      liveOf(stage, {
        syncMs: () => {
          startsMs.push(stage.clock.nowMs());
          return syncMs;
        },
      });
      stage.clock.advance(10_000);
      startsMs.length = 0;
      const from = stage.disk.calls.length;
      for (let write = 0; write < 500; write++) {
        stage.leader.put(0, write, 5);
        stage.clock.advance(7);
      }
      stage.clock.advance(1_000);
      const writesMs = stage.disk.calls
        .slice(from)
        .filter((call) => wordOf(call) === "write slots fixed.data")
        .map((call) => call.atMs);
      expect(writesMs.length).toBeGreaterThan(400);
      const waitsMs = writesMs.map(
        (atMs) => (startsMs.find((start) => start > atMs) ?? 1e9) - atMs,
      );
      expect(Math.max(...waitsMs)).toBeLessThanOrEqual(waitMsMax);
      // Nor more often than needed.
      expect(startsMs.length).toBeLessThanOrEqual(Math.ceil((500 * 7) / apartMs) + 1);
    });
  }
});

describe("--sync off", () => {
  test("syncs for ready and at the stop only", () => {
    const stage = filled();
    const follower = liveOf(stage, { settings: { sync: "off" } });
    stage.until("ready", () => follower.ready, 10_000);
    const from = stage.disk.calls.length;
    for (let slot = 0; slot < 50; slot++) {
      stage.leader.put(0, slot, 2);
      stage.clock.advance(200);
    }
    expect(stage.disk.calls.slice(from).map(wordOf)).not.toContain("fdatasync fixed.data");
    expect(isDurable(stage)).toBe(false);
    follower.supervisor.stop();
    stage.clock.advance(1_000);
    expect(follower.ended).toBe(null);
    expect(isDurable(stage)).toBe(true);
  });
});

describe("the cursor", () => {
  test("is saved at most once a second, behind a sync of the data, and never tells of more than is durable", () => {
    const stage = filled();
    const savedAtMs: number[] = [];
    const rename = stage.disk.rename.bind(stage.disk);
    stage.disk.rename = (from, to) => {
      if (to === CURSOR) {
        savedAtMs.push(stage.clock.nowMs());
        const cursor = decodeCursor(stage.disk.bytes(from) ?? new Uint8Array());
        expect(Number(cursor?.appliedTotal)).toBeLessThanOrEqual(appliedDurably(stage));
        expect(stage.disk.durableBytes(DATA)).not.toBe(null);
      }
      rename(from, to);
    };
    const follower = liveOf(stage, { syncMs: () => 30 });
    for (let write = 0; write < 3_000; write++) {
      stage.leader.put(0, write % SLOTS, write);
      stage.clock.advance(3);
    }
    expect(savedAtMs.length).toBeGreaterThan(5);
    for (const [index, atMs] of savedAtMs.slice(1).entries()) {
      expect(atMs - (savedAtMs[index] ?? 0)).toBeGreaterThanOrEqual(1_000 - 30);
    }
    follower.supervisor.stop();
    stage.clock.advance(1_000);
    const cursor = decodeCursor(stage.disk.durableBytes(CURSOR) ?? new Uint8Array());
    expect(Number(cursor?.appliedTotal)).toBe(appliedDurably(stage));
    expect(cursor?.maxVersionSeen).toBe(6);
  });

  test("is replaced by temp file, fsync, rename and directory sync, each after the sync of the data", () => {
    const stage = filled();
    liveOf(stage);
    stage.leader.put(0, 1, 2);
    stage.clock.advance(2_000);
    const words = stage.disk.calls
      .map(wordOf)
      .filter((word) => !/^(close|read|own|open read) /.test(word));
    const at = words.lastIndexOf("rename fixed_repl.cursor.tmp");
    expect(words.slice(at - 4, at + 2)).toEqual([
      "fdatasync fixed.data",
      "open create fixed_repl.cursor.tmp",
      "write fixed_repl.cursor.tmp",
      "fsync fixed_repl.cursor.tmp",
      "rename fixed_repl.cursor.tmp",
      "sync directory shard_000",
    ]);
  });
});

/** Events that the data file tells of: each write of a slot raised its version by one. */
function appliedOf(bytes: Uint8Array | null): number {
  let applied = 0;
  const view = new DataView((bytes ?? new Uint8Array()).slice().buffer);
  for (let at = 4096; at < view.byteLength; at += 32) applied += view.getUint32(at, true) >>> 2;
  return applied;
}

function appliedOnDisk(stage: SimStage): number {
  return appliedOf(stage.disk.bytes(DATA));
}

function appliedDurably(stage: SimStage): number {
  return appliedOf(stage.disk.durableBytes(DATA));
}
