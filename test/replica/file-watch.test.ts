// The watch over the files of a follower, in simulated time: each loss is noticed within 2 s, a header's within 10 s, at a stop and at
// a comparison at once; nothing is written by name from then on; what is sound is never taken for lost.

import { describe, expect, test } from "bun:test";
import { encodeShardHeader, SHARD_HEADER_BYTES } from "../../src/format/shard-header.ts";
import type { Disk } from "../../src/io/disk.ts";
import { SIM_DIR, type SimFollower } from "../support/sim-follower.ts";
import { SimStage } from "../support/sim-stage.ts";

const DATA = `${SIM_DIR}/shard_000/fixed.data`;
const MINUTES_MS = 5 * 60_000;

const isByName = (operation: string) => /create|write|rename/.test(operation);

/** A live follower of two shards. */
function live(shards = 2): { stage: SimStage; follower: SimFollower } {
  const stage = new SimStage({ shards, slots: 200 });
  for (let slot = 0; slot < 100; slot++) stage.leader.put(0, slot, 1);
  const follower = stage.follow();
  stage.until("ready", () => follower.ready, 60_000);
  stage.clock.advance(3_000);
  return { stage, follower };
}

function replace(disk: Disk, path: string, bytes: Uint8Array): void {
  disk.remove(path);
  const file = disk.open(path, "create");
  file.write(bytes, 0);
  file.close();
}

function change(disk: Disk, path: string, offset: number, bytes: Uint8Array | number): void {
  const file = disk.open(path, "write");
  if (typeof bytes === "number") file.truncate(bytes);
  else file.write(bytes, offset);
  file.close();
}

const header = (fields: { slotCount: number; shardId: number; valueLen?: number }) =>
  encodeShardHeader({ keyLen: 8, valueLen: 16, slotSize: 32, cleanShutdown: 0, ...fields });

const LOSSES: readonly [string, (stage: SimStage) => void, string, number][] = [
  ["removed", ({ disk }) => disk.remove(DATA), "it was removed or renamed", 2_000],
  [
    "replaced by its own bytes",
    ({ disk }) => replace(disk, DATA, disk.bytes(DATA)?.slice() ?? new Uint8Array()),
    "another file lies at that name",
    2_000,
  ],
  ["emptied", ({ disk }) => change(disk, DATA, 0, 0), "it was cut to 0 bytes", 2_000],
  [
    "cut by one slot",
    ({ disk }) => change(disk, DATA, 0, (disk.bytes(DATA)?.length ?? 0) - 1),
    "it was cut to",
    2_000,
  ],
  [
    "its header zeroed",
    ({ disk }) => change(disk, DATA, 0, new Uint8Array(SHARD_HEADER_BYTES)),
    "its header does not begin with FIXD",
    11_000,
  ],
  [
    "its header that of another shard",
    ({ disk }) => change(disk, DATA, 0, header({ slotCount: 200, shardId: 1 })),
    "its header says shard 1",
    11_000,
  ],
];

describe("the watch over a shard's data file", () => {
  for (const [what, lose, reason, limitMs] of LOSSES) {
    test(`${what}: failed, and nothing is written by name`, () => {
      const { stage, follower } = live();
      lose(stage);
      const from = stage.disk.calls.length;
      stage.until("failed", () => follower.shard(0).state === "failed", limitMs);
      expect(follower.shard(0).lastError).toContain(`"${DATA}" while following: ${reason}`);
      expect(follower.shard(1).state).toBe("live");
      stage.clock.advance(20_000);
      follower.supervisor.stop();
      stage.until("the end", () => follower.ended !== undefined, 10_000);
      expect(follower.ended?.exitStatus).toBe(15);
      const written = stage.disk.calls.slice(from).filter(({ operation }) => isByName(operation));
      expect(written.filter(({ path }) => path.includes("shard_000"))).toEqual([]);
    });

    test(`${what}, right before a stop: not in good order`, () => {
      const { stage, follower } = live();
      lose(stage);
      follower.supervisor.stop();
      stage.until("the end", () => follower.ended !== undefined, 10_000);
      expect(follower.ended?.exitStatus).toBe(15);
      expect(follower.ended?.message).toContain(reason);
    });

    test(`${what}, right before a comparison: the comparison fails`, () => {
      const { stage, follower } = live();
      lose(stage);
      const events: string[] = [];
      follower.supervisor.compare(0, 100, ({ kind }) => void events.push(kind));
      stage.clock.advance(1_000);
      expect(events.at(-1)).toBe("failed");
    });
  }

  test("ends the follower when it was the last shard", () => {
    const { stage, follower } = live(1);
    stage.disk.remove(DATA);
    stage.until("the end", () => follower.ended !== undefined, 2_000);
    expect(follower.ended?.exitStatus).toBe(15);
  });

  test("takes nothing for lost with growth, a dead thread and a full table of descriptors", () => {
    const { stage, follower } = live();
    for (let slot = 200; slot < 5_000; slot += 7) stage.leader.put(1, slot, 2);
    stage.clock.advance(MINUTES_MS);
    follower.killThread(0, "for a test");
    stage.clock.advance(MINUTES_MS);
    stage.disk.faults = ({ operation }) => (operation === "open read" ? { errno: "EMFILE" } : null);
    stage.clock.advance(60_000);
    stage.disk.faults = () => null;
    stage.clock.advance(MINUTES_MS);
    expect(follower.supervisor.snapshots.map(({ state }) => state)).toEqual(["live", "live"]);
    follower.supervisor.stop();
    stage.until("the end", () => follower.ended !== undefined, 10_000);
    expect(follower.ended).toBeNull();
  });

  test("the lock's loss ends every shard, one whose thread has died as well, and nothing is saved any more", () => {
    const lock = `${SIM_DIR}/db.lock`;
    const stage = new SimStage({ shards: 2, slots: 50 });
    const follower = stage.follow({ lock: () => stage.disk.open(lock, "create").close() });
    stage.until("ready", () => follower.ready, 60_000);
    follower.killThread(1, "for a test");
    stage.clock.advance(10);
    stage.disk.remove(lock);
    const from = stage.disk.calls.length;
    stage.until("the end", () => follower.ended !== undefined, 2_000);
    expect(follower.ended?.message).toContain(`"${lock}" while following: it was removed`);
    stage.clock.advance(60_000);
    const written = stage.disk.calls.slice(from).filter(({ operation }) => isByName(operation));
    expect(written).toEqual([]);
    expect(follower.endings).toBe(1);
  });

  const META = `${SIM_DIR}/db.meta`;
  for (const [what, lose, reason] of [
    ["removed", ({ disk }: SimStage) => disk.remove(META), "it was removed or renamed"],
    [
      "replaced",
      ({ disk }: SimStage) => replace(disk, META, new Uint8Array(16)),
      "another file lies at that name",
    ],
    ["cut", ({ disk }: SimStage) => change(disk, META, 0, 8), "its bytes were changed"],
    [
      "overwritten",
      ({ disk }: SimStage) => change(disk, META, 6, Uint8Array.of(9)),
      "its bytes were changed",
    ],
  ] as const) {
    // The first is that of a new directory, the second that of one that is there.
    test.each(["first", "second"])(`db.meta ${what} under the %s run ends every shard`, (which) => {
      const { stage, follower } = live();
      let now = follower;
      if (which === "second") {
        follower.supervisor.stop();
        stage.until("the end", () => follower.ended !== undefined, 10_000);
        now = stage.follow();
        stage.until("ready", () => now.ready, 60_000);
      }
      lose(stage);
      const from = stage.disk.calls.length;
      stage.until("the end", () => now.ended !== undefined, 2_000);
      expect(now.ended?.exitStatus).toBe(15);
      expect(now.ended?.message).toContain(`"${META}" while following: ${reason}`);
      stage.clock.advance(60_000);
      expect(stage.disk.calls.slice(from).filter(({ operation }) => isByName(operation))).toEqual(
        [],
      );
    });
  }

  test("an EIO on the header read back ends the shard", () => {
    const { stage, follower } = live();
    stage.disk.faults = ({ operation, path }) =>
      operation === "read" && path === DATA ? { errno: "EIO" } : null;
    stage.until("failed", () => follower.shard(0).state === "failed", 11_000);
    expect(follower.shard(0).lastError).toContain("EIO");
  });
});
