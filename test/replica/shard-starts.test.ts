// In which order shards begin.

import { expect, test } from "bun:test";
import { ShardStarts } from "../../src/replica/shard-starts.ts";

function startsOf(startingMax: number) {
  const started: number[] = [];
  const starts = new ShardStarts(startingMax, (shard) => void started.push(shard));
  return { started, starts };
}

test("so many begin at once, and each that has begun makes room for the next", () => {
  const { started, starts } = startsOf(2);
  for (let shard = 0; shard < 5; shard++) starts.add(shard);
  expect(started).toEqual([0, 1]);
  starts.begun(1);
  expect(started).toEqual([0, 1, 2]);
  starts.begun(1);
  expect(started).toEqual([0, 1, 2]);
  starts.begun(0);
  starts.begun(2);
  expect(started).toEqual([0, 1, 2, 3, 4]);
});

test("after a stop nobody begins, and those that had not are named", () => {
  const { started, starts } = startsOf(1);
  for (let shard = 0; shard < 3; shard++) starts.add(shard);
  expect(starts.stop()).toEqual([1, 2]);
  starts.begun(0);
  expect(started).toEqual([0]);
  expect(starts.stop()).toEqual([]);
});

test("one whose start fails does not hold up the others", () => {
  const started: number[] = [];
  const starts: ShardStarts = new ShardStarts(1, (shard) => {
    started.push(shard);
    if (shard === 0) starts.begun(shard);
  });
  starts.add(0);
  starts.add(1);
  expect(started).toEqual([0, 1]);
});
