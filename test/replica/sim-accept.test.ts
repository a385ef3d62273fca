// --accept-leader in simulated time: what is given up is saved, with whose doing it was; the cursor says what is here afterwards,
// whatever went away. A cursor that is ahead of its shard is put right by any whole scan.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { viewOf } from "../../src/bytes.ts";
import { CURSOR_BYTES, CURSOR_FIELDS, decodeCursor } from "../../src/format/cursor.ts";
import { versionOf } from "../../src/format/slot.ts";
import { DIVERGED_LISTED_MAX } from "../../src/limits.ts";
import { SIM_DIR, type SimFollower } from "../support/sim-follower.ts";
import { type Generation, GENERATIONS } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const CURSOR = `${SIM_DIR}/shard_000/fixed_repl.cursor`;
const RESET_LOG = `${SIM_DIR}/armdb-reset-0.log`;
const SLOTS = 40;

/** What the cursor has seen, and the greatest version that any slot has. */
function versions({ disk }: SimStage): { seen: number; here: number } {
  const view = viewOf(disk.bytes(`${SIM_DIR}/shard_000/fixed.data`) ?? new Uint8Array());
  let here = 0;
  for (let at = 4096; at + 32 <= view.byteLength; at += 32) {
    here = Math.max(here, versionOf(view.getUint32(at, true)));
  }
  return { seen: decodeCursor(disk.bytes(CURSOR) ?? new Uint8Array())?.maxVersionSeen ?? -1, here };
}

/** Lines of the reset log as [slot, by]. */
function saved({ disk }: SimStage): (readonly [number, unknown])[] {
  const text = new TextDecoder().decode(disk.bytes(RESET_LOG) ?? new Uint8Array());
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
    .map(({ slot, by }) => [slot, by]);
}

function once(stage: SimStage, acceptLeader: boolean): SimFollower {
  const follower = stage.follow({ settings: { once: true, acceptLeader } });
  stage.until("the end", () => follower.ended !== undefined, 60_000);
  expect(follower.ended).toBeNull();
  return follower;
}

/** A replica whose leader comes back without what `change` takes from it. */
function restored(generation: Generation, change: (stage: SimStage) => void): SimStage {
  const stage = new SimStage({ generation, slots: SLOTS });
  for (let slot = 0; slot < SLOTS; slot++) stage.leader.put(0, slot, 1);
  for (let put = 0; put < 8; put++) stage.leader.put(0, 7, put);
  once(stage, false);
  stage.leader.stop();
  change(stage);
  stage.leader.start();
  expect(once(stage, false).shard().divergedSlots).toBe(1);
  return stage;
}

const CHANGES: readonly (readonly [string, (stage: SimStage) => void])[] = [
  ["the leader does not have", ({ leader }) => leader.forget(0, 7)],
  ["is older at the leader", ({ leader }) => leader.set(0, 7, 2, 99)],
];

describe.each(GENERATIONS)("--accept-leader (generation %d)", (generation) => {
  test.each(CHANGES)("where the slot of the greatest version %s", (_, change) => {
    const stage = restored(generation, change);
    expect(versions(stage)).toEqual({ seen: 9, here: 9 });
    const accepting = once(stage, true);
    stage.expectEqual();
    expect(accepting.shard()).toMatchObject({ divergedSlots: 0, resetsSaved: 0 });
    const { seen, here } = versions(stage);
    expect([here < 9, seen]).toEqual([true, here]);
    expect(saved(stage)).toEqual([[7, "accept-leader"]]);
    expect(accepting.log).toContain(
      "1 slot is saved in armdb-reset-0.log; the next scan takes the leader's record",
    );
  });

  test("gives up in one run what differs, also where the state file lists a part of it only", () => {
    const slots = DIVERGED_LISTED_MAX + 200;
    const stage = new SimStage({ generation, slots });
    for (let slot = 0; slot < slots; slot++) stage.leader.put(0, slot, 1);
    once(stage, false);
    stage.leader.stop();
    for (let slot = 0; slot < slots; slot++) stage.leader.forget(0, slot);
    stage.leader.start();
    expect(once(stage, false).shard().divergedSlots).toBe(slots);
    const accepting = once(stage, true);
    expect(accepting.shard().divergedSlots).toBe(0);
    expect(saved(stage).length).toBe(slots);
    stage.expectEqual();
  });

  test("a cursor that is ahead of its shard is put right by the next whole scan", () => {
    const stage = new SimStage({ generation, slots: SLOTS });
    for (let slot = 0; slot < SLOTS; slot++) stage.leader.put(0, slot, 1);
    once(stage, false);
    const file = stage.disk.open(CURSOR, "write");
    const word = new Uint8Array(4);
    viewOf(word).setUint32(0, 999, true);
    file.write(word, CURSOR_FIELDS.maxVersionSeen.offset);
    file.close();
    expect([versions(stage), stage.disk.bytes(CURSOR)?.length]).toEqual([
      { seen: 999, here: 1 },
      CURSOR_BYTES,
    ]);
    once(stage, false);
    expect(versions(stage)).toEqual({ seen: 1, here: 1 });
  });
});
