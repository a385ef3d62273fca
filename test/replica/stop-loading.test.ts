// A stop while a shard's slots are loaded, when its thread reads no message: it is heard in the middle, the files stay as they were,
// and what the state file knows stays known. And a file that is mostly hole is not read through.

import { describe, expect, test } from "bun:test";
import { closeSync, ftruncateSync, openSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { CURSOR_FILE, encodeCursor } from "../../src/format/cursor.ts";
import { HEADER_FIELDS, SHARD_FILE, slotOffset } from "../../src/format/shard-header.ts";
import { Armdb } from "../support/armdb.ts";
import { wordOf } from "../support/disk-log.ts";
import { eventually } from "../support/follow-stage.ts";
import { has } from "../support/needs.ts";
import { makeRecordDirectory } from "../support/record-directory.ts";
import { SIM_DIR } from "../support/sim-follower.ts";
import { SimStage } from "../support/sim-stage.ts";
import { TempRoot, treeOf } from "../support/temp.ts";

const LIMIT_MS = 60_000;
const STOP_MS_MAX = 5_000;
/** Nobody listens there. */
const NO_LEADER = "127.0.0.1:1";
const STOPPED = "Stopped; not closed clean: shard 0 (as an earlier run left it: nothing came";

describe("a stop in simulated time, while the slots of a shard are loaded", () => {
  const DATA = `${SIM_DIR}/shard_000/fixed.data`;
  const STATE = `${SIM_DIR}/armdb.state.json`;
  const state = (stage: SimStage) => {
    const text = Buffer.from(stage.disk.bytes(STATE) ?? []).toString();
    const { shards, leader } = JSON.parse(text) as { shards: object[]; leader: string };
    // Each run counts for itself.
    return { shards: shards.map((shard) => ({ ...shard, counters: null })), leader };
  };

  /** A whole replica, closed in good order or killed. */
  function replica(isClean: boolean): SimStage {
    const stage = new SimStage({ slots: 40_000 });
    for (let slot = 0; slot < 40_000; slot++) stage.leader.put(0, slot, 1);
    const follower = stage.follow();
    stage.until("ready", () => follower.ready, 60_000);
    stage.clock.advance(20_000);
    if (isClean) {
      follower.supervisor.stop();
      stage.until("the end", () => follower.ended !== undefined, 5_000);
    } else {
      follower.kill();
      stage.disk.killed();
    }
    return stage;
  }

  for (const isClean of [true, false]) {
    test(`ends at its next read, and leaves everything as it was: ${isClean ? "clean" : "killed"}`, () => {
      const stage = replica(isClean);
      const before = { data: stage.disk.bytes(DATA)?.slice(), state: state(stage) };
      let reads = 0;
      stage.disk.faults = (call) => {
        const isSlots = wordOf(call) === "read fixed.data" && (call.offset ?? 0) > 0;
        if (isSlots && ++reads === 2) follower.supervisor.stop();
        return null;
      };
      const follower = stage.follow();
      stage.until("the end", () => follower.ended !== undefined, 100);
      expect([reads, follower.ended, follower.endings]).toEqual([2, null, 1]);
      const unclean = isClean ? null : STOPPED.slice(STOPPED.indexOf("(") + 1);
      expect(follower.reportsOf("ended")).toMatchObject([
        { error: null, unclean: unclean === null ? null : expect.stringContaining(unclean) },
      ]);
      expect(stage.disk.bytes(DATA)).toEqual(before.data as Uint8Array);
      expect(state(stage)).toEqual(before.state);
    });
  }

  test("is heard by the shards that have not begun to load, and by those whose turn has not come", () => {
    // Four load at the same time.
    const stage = new SimStage({ shards: 6 });
    for (let shard = 0; shard < 6; shard++) stage.leader.put(shard, 0, 1);
    const first = stage.follow();
    stage.until("ready", () => first.ready, 60_000);
    first.supervisor.stop();
    stage.until("the end", () => first.ended !== undefined, 5_000);
    const read: string[] = [];
    stage.disk.faults = (call) => {
      if (wordOf(call) !== "read fixed.data" || (call.offset ?? 0) === 0) return null;
      read.push(call.path);
      follower.supervisor.stop();
      return null;
    };
    const follower = stage.follow();
    stage.until("the end", () => follower.ended !== undefined, 100);
    expect([read, follower.ended]).toEqual([[DATA], null]);
    const ends = follower.reportsOf("ended").map(({ unclean }) => unclean);
    expect(ends).toEqual([null, null, null, null, null, null]);
  });

  test("an error of the disk in there leaves what the state file knows too", () => {
    const stage = replica(true);
    const before = state(stage);
    stage.disk.faults = (call) => (wordOf(call) === "fsync fixed.data" ? { errno: "EIO" } : null);
    const follower = stage.follow();
    stage.until("the end", () => follower.ended !== undefined, 100);
    expect(follower.ended?.code).toBe("storage");
    expect(state(stage)).toEqual(before);
  });
});

/** A replica of one shard that nobody closed. */
function makeReplica(dir: string, records: number): void {
  makeRecordDirectory(dir, records);
  const cursor = { shardId: 0, appliedTotal: 1n, maxVersionSeen: 1, lastAckAtMs: 1n };
  writeFileSync(join(dir, "shard_000", CURSOR_FILE), encodeCursor(cursor));
}

/** Makes a shard of records one of so many slots, the rest a hole. */
function lengthen(path: string, slots: number): void {
  const count = new Uint32Array([slots]);
  const fd = openSync(path, "r+");
  writeSync(fd, new Uint8Array(count.buffer), 0, 4, HEADER_FIELDS.slotCount.offset);
  ftruncateSync(fd, slotOffset(slots, 32));
  closeSync(fd);
}

/** What a follower without a leader says of a SIGTERM, and how long that takes. */
async function stoppedAfter(dir: string, said: string, launcher: readonly string[] = []) {
  await using follower = Armdb.start(["replicate", NO_LEADER, "--data", dir, "--verbose"], {
    launcher,
  });
  await eventually(
    () => follower.stderr,
    (text) => text.includes(said),
  );
  const startMs = performance.now();
  const { status, stderr } = await follower.stop("SIGTERM");
  return { status, stderr, tookMs: performance.now() - startMs };
}

test(
  "SIGTERM while a replica of 600 million slots is loaded, which is mostly hole, ends it in good order",
  async () => {
    using temp = new TempRoot("stop-loading");
    const dir = temp.fresh();
    makeReplica(dir, 1_000);
    const path = join(dir, "shard_000", SHARD_FILE);
    lengthen(path, 600_000_000);
    const { status, stderr, tookMs } = await stoppedAfter(dir, "reading");
    expect([status, stderr.includes(STOPPED)]).toEqual([0, true]);
    expect(tookMs).toBeLessThan(STOP_MS_MAX);
    expect(statSync(path).size).toBe(slotOffset(600_000_000, 32));
  },
  LIMIT_MS,
);

/** Reads of half a MiB, each held up: 100 of them take 20 s. */
const SLOW_READS = ["-e", "trace=pread64", "-e", "inject=pread64:delay_enter=200000"];
const RECORDS = (100 * 512 * 1024) / 32;

test.if(has("strace"))(
  "SIGTERM in the middle of a load of 20 s ends it in good order, with the files as they were",
  async () => {
    using temp = new TempRoot("stop-loading");
    const dir = temp.fresh();
    makeReplica(dir, RECORDS);
    const before = treeOf(join(dir, "shard_000"));
    const path = join(dir, "shard_000", SHARD_FILE);
    const launcher = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-P", path, ...SLOW_READS];
    const { status, stderr, tookMs } = await stoppedAfter(dir, "reading", launcher);
    expect([status, stderr.includes(STOPPED)]).toEqual([0, true]);
    expect(tookMs).toBeLessThan(STOP_MS_MAX);
    expect(treeOf(join(dir, "shard_000"))).toEqual(before);
  },
  LIMIT_MS,
);
