// The order of the calls with which a replica's files are made, opened, grown and closed, from the log of a disk in memory: what
// must be durable before what.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { expectInOrder, wordsFrom } from "../support/disk-log.ts";
import { SIM_DIR, type SimFollower } from "../support/sim-follower.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const RENAME_IN_PLACE = (name: string) => [
  `open create ${name}.tmp`,
  `write ${name}.tmp`,
  `fsync ${name}.tmp`,
  `rename ${name}.tmp`,
  "sync directory shard_000",
];

function followed(): { stage: SimStage; follower: SimFollower } {
  const stage = new SimStage();
  for (let slot = 0; slot < 100; slot++) stage.leader.put(0, slot, 1);
  const follower = stage.follow();
  stage.until("live", () => follower.states().at(-1) === "live", 10_000);
  return { stage, follower };
}

function stop(stage: SimStage, follower: SimFollower): void {
  follower.supervisor.stop();
  stage.until("the end", () => follower.ended !== undefined, 5_000);
  expect(follower.ended).toBe(null);
}

describe("the order of a replica's files", () => {
  test("a new one: directory, state, db.meta, shard, each durable before the next is relied on", () => {
    const { stage } = followed();
    const words = wordsFrom(stage.disk);
    expectInOrder(words, [
      "mkdir replica",
      "sync directory ",
      "fsync armdb.state.json.tmp",
      "rename armdb.state.json.tmp",
      "sync directory replica",
      "open create db.meta",
      "write db.meta",
      "fsync db.meta",
      "sync directory replica",
      "mkdir shard_000",
      "sync directory replica",
      "open create fixed.data",
      "preallocate fixed.data",
      "write fixed.data",
      "fsync fixed.data",
      "sync directory shard_000",
      "write slots fixed.data",
      "fdatasync fixed.data",
    ]);
    expect(words.indexOf("write slots fixed.data")).toBeGreaterThan(
      words.indexOf("sync directory shard_000"),
    );
  });

  test("a stop in good order: data, sidecar, flag, cursor", () => {
    const { stage, follower } = followed();
    stage.leader.put(0, 1, 2);
    stage.clock.advance(3);
    const from = stage.disk.calls.length;
    stop(stage, follower);
    expectInOrder(wordsFrom(stage.disk, from), [
      "fdatasync fixed.data",
      ...RENAME_IN_PLACE("fixed.versions"),
      "write flag 1 fixed.data",
      "fdatasync fixed.data",
      ...RENAME_IN_PLACE("fixed_repl.cursor"),
    ]);
    const words = wordsFrom(stage.disk, from);
    const flag = words.indexOf("write flag 1 fixed.data");
    expect(words.slice(flag + 1)).not.toContain("write slots fixed.data");
    expect(words[flag + 1]).toBe("fdatasync fixed.data");
  });

  test("a start: what a killed predecessor left in memory reaches the disk before it is believed", () => {
    const { stage, follower } = followed();
    follower.kill();
    stage.disk.killed();
    const from = stage.disk.calls.length;
    stage.follow();
    stage.clock.advance(0);
    const calls = stage.disk.calls.slice(from);
    const data = calls.filter((call) => call.path.endsWith("fixed.data"));
    // The look at the headers comes first and believes nothing of the slots.
    const opened = data.findIndex((call) => call.operation === "open write");
    const operations = data.slice(opened).map((call) => call.operation);
    expect(operations.slice(0, 4)).toEqual(["open write", "fsync", "drop cache", "read"]);
  });

  test("the clean flag is cleared, durably, before the first slot is written", () => {
    const { stage, follower } = followed();
    stop(stage, follower);
    const data = `${SIM_DIR}/shard_000/fixed.data`;
    expect(stage.disk.durableBytes(data)?.[17]).toBe(1);
    const from = stage.disk.calls.length;
    const second = stage.follow();
    stage.until("live", () => second.states().at(-1) === "live", 10_000);
    expect(wordsFrom(stage.disk, from)).not.toContain("write slots fixed.data");
    expect(stage.disk.durableBytes(data)?.[17]).toBe(1);
    stage.leader.put(0, 1, 2);
    stage.clock.advance(100);
    const writes = wordsFrom(stage.disk, from).filter((word) => word.endsWith("fixed.data"));
    const first = writes.indexOf("write slots fixed.data");
    expect(writes.slice(first - 2, first)).toEqual([
      "write flag 0 fixed.data",
      "fdatasync fixed.data",
    ]);
    expect(stage.disk.durableBytes(data)?.[17]).toBe(0);
  });

  test("growth: room, count, sync, and only then a slot in it", () => {
    const { stage } = followed();
    const from = stage.disk.calls.length;
    stage.leader.put(0, 5_000, 1);
    stage.clock.advance(100);
    const words = wordsFrom(stage.disk, from).filter((word) => word.endsWith("fixed.data"));
    expectInOrder(words, [
      "preallocate fixed.data",
      "write count fixed.data",
      "fdatasync fixed.data",
      "write slots fixed.data",
    ]);
    expect(words.indexOf("write slots fixed.data")).toBeGreaterThan(
      words.indexOf("fdatasync fixed.data"),
    );
    stage.expectEqual();
  });

  test("what --accept-leader gives up is saved, durably, before it is lost", () => {
    const { stage, follower } = followed();
    stage.leader.put(0, 1, 2);
    stage.clock.advance(3);
    stop(stage, follower);
    stage.leader.set(0, 1, 1, 1);
    stage.leader.forget(0, 2);
    const from = stage.disk.calls.length;
    const accepting = stage.follow({ settings: { once: true, acceptLeader: true } });
    stage.until("the end", () => accepting.ended !== undefined, 20_000);
    const words = wordsFrom(stage.disk, from);
    expectInOrder(words, [
      "open create armdb-reset-0.log",
      "write armdb-reset-0.log",
      "fsync armdb-reset-0.log",
      "sync directory replica",
      "write slots fixed.data",
    ]);
    expect(words.indexOf("write slots fixed.data")).toBeGreaterThan(
      words.indexOf("fsync armdb-reset-0.log"),
    );
    const log = stage.disk.durableBytes(`${SIM_DIR}/armdb-reset-0.log`) ?? new Uint8Array();
    const saved = new TextDecoder().decode(log).trimEnd().split("\n");
    expect(saved.map((line) => (JSON.parse(line) as { slot: number }).slot)).toEqual([1, 2]);
    stage.expectEqual();
  });
});
