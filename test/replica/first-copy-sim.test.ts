// A follower that is killed, or whose machine loses power, before any disk call of its first copy: a directory that does not hold
// every record is never one that looks sound and complete.

import { describe, expect, test } from "bun:test";
import { type DatabaseDirectory, readDirectory } from "../../src/audit/look/database-look.ts";
import { ArmdbError } from "../../src/errors.ts";
import type { Disk } from "../../src/io/disk.ts";
import { Dice } from "../support/dice.ts";
import { wordOf } from "../support/disk-log.ts";
import { SIM_DIR } from "../support/sim-follower.ts";
import { SimStage } from "../support/sim-stage.ts";

const SLOTS = 200;

function look(disk: Disk): DatabaseDirectory | null {
  try {
    return readDirectory(disk, SIM_DIR);
  } catch (thrown) {
    if (thrown instanceof ArmdbError) return null;
    throw thrown;
  }
}

/** True where verify ends with 0: a state file that cannot be understood is but a note. */
function passes(disk: Disk): boolean {
  const directory = look(disk);
  if (directory === null || directory.meta.fault !== null || directory.meta.facts === null) {
    return false;
  }
  const { shards, copy } = directory;
  return (
    copy.complete !== false &&
    shards.every(({ headerFault, header }) => {
      return header !== null && headerFault === null;
    })
  );
}

/** What passes though records are missing, of all states in which a first copy may be left. */
function passedTooSoon(shards: number, seed: number): { states: number; found: string[] } {
  const stage = new SimStage({ slots: SLOTS, shards });
  for (let shard = 0; shard < shards; shard++) {
    for (let slot = 0; slot < SLOTS; slot++) stage.leader.put(shard, slot, 1);
  }
  const dice = new Dice(seed);
  const found: string[] = [];
  let states = 0;
  let isLooking = false;
  const { disk } = stage;
  disk.faults = (call, index) => {
    if (isLooking) return null;
    isLooking = true;
    for (const [how, left] of [
      ["killed", disk],
      ["power cut, only what was synced", disk.powerCut(null)],
      ["power cut", disk.powerCut(dice)],
    ] as const) {
      states++;
      stage.disk = left;
      const isMissing = stage.differences().length > 0;
      stage.disk = disk;
      if (isMissing && passes(left)) found.push(`${how} before call ${index}, ${wordOf(call)}`);
    }
    isLooking = false;
    return null;
  };
  const follower = stage.follow({ seed, syncMs: () => 1 + dice.below(60) });
  stage.until("ready", () => follower.ready, 60_000);
  stage.clock.advance(20_000);
  disk.faults = () => null;
  expect(passes(disk)).toBe(true);
  expect(look(disk)?.copy.complete).toBe(true);
  follower.kill();
  return { states, found };
}

describe("a first copy that is left before any of its disk calls", () => {
  for (const shards of [1, 3]) {
    for (const seed of [1, 2, 3]) {
      test(`passes only with every record: ${shards} shards, seed ${seed}`, () => {
        const { states, found } = passedTooSoon(shards, seed);
        expect(found).toEqual([]);
        expect(states).toBeGreaterThan(60);
      });
    }
  }
});

describe("ready is said", () => {
  for (const shards of [1, 3]) {
    test(`when it is durable that the copy is complete, and not before: ${shards} shards`, () => {
      const stage = new SimStage({ slots: SLOTS, shards });
      for (let shard = 0; shard < shards; shard++) stage.leader.put(shard, 1, 1);
      const { disk } = stage;
      const follower = stage.follow();
      let isLooking = false;
      const seen = new Set<boolean | null>();
      disk.faults = () => {
        if (isLooking || !follower.ready) return null;
        isLooking = true;
        seen.add(look(disk.powerCut(null))?.copy.complete ?? null);
        isLooking = false;
        return null;
      };
      stage.until("ready", () => follower.ready, 60_000);
      expect(look(disk.powerCut(null))?.copy.complete).toBe(true);
      stage.leader.put(0, 2, 1);
      stage.clock.advance(20_000);
      expect([...seen]).toEqual([true]);
    });
  }
});
