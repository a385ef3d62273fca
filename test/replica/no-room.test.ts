// A disk with no room for the small files beside the data, in simulated time: the follower goes on, says so once, /health has a reason,
// and what could not be saved is saved when there is room again. A stop closes the data all the same.

import { describe, expect, test } from "bun:test";
import { decodeCursor } from "../../src/format/cursor.ts";
import { healthReasons } from "../../src/status/health.ts";
import { StoreStage } from "../support/store-stage.ts";
import { SIM_DIR, type SimFollower } from "../support/sim-follower.ts";
import { SimStage } from "../support/sim-stage.ts";
import { documentOf } from "../status/facts.ts";

const SHARD_DIR = `${SIM_DIR}/shard_000`;
const BESIDE_DATA = /\.tmp$/;

/** A live follower whose disk has no room left for any file but the data. */
function followedWithoutRoom(): { stage: SimStage; follower: SimFollower } {
  const stage = new SimStage();
  stage.leader.put(0, 1, 1);
  const follower = stage.follow();
  stage.until("live", () => follower.states().at(-1) === "live", 10_000);
  stage.clock.advance(5_000);
  stage.disk.faults = (call) =>
    BESIDE_DATA.test(call.path) && call.operation === "write" ? { errno: "ENOSPC" } : null;
  return { stage, follower };
}

function reasonsOf({ supervisor }: SimFollower): string[] {
  const document = documentOf(supervisor.shards, {
    saved: supervisor.saved,
    nowMs: supervisor.shards[0]?.heardAtMs ?? 0,
    startedAtMs: 0,
  });
  return healthReasons(document, Number.POSITIVE_INFINITY).map(({ reason }) => reason);
}

function cursorOf({ disk }: SimStage) {
  return decodeCursor(disk.durableBytes(`${SHARD_DIR}/fixed_repl.cursor`) ?? new Uint8Array());
}

function tempsOf({ disk }: SimStage): string[] {
  return [SIM_DIR, SHARD_DIR].flatMap((dir) => disk.list(dir).filter((name) => /tmp$/.test(name)));
}

const CURSOR_SAID = `Cannot write "${SHARD_DIR}/fixed_repl.cursor.tmp": ENOSPC, no space is left on the device`;
const STATE_SAID = `Cannot write "${SIM_DIR}/armdb.state.json.tmp": ENOSPC, no space is left on the device`;

describe("without room for cursor and state file", () => {
  test("a follower goes on, warns once of each, and /health has the reasons", () => {
    const { stage, follower } = followedWithoutRoom();
    for (let write = 0; write < 60; write++) {
      stage.leader.put(0, write, write);
      stage.clock.advance(1_000);
    }
    expect(follower.ended).toBe(undefined);
    expect(follower.shard().state).toBe("live");
    stage.expectEqual();
    const warnings = follower.log.filter((text) => text.includes("ENOSPC"));
    expect(warnings.sort()).toEqual([STATE_SAID, CURSOR_SAID].sort());
    expect(reasonsOf(follower).sort()).toEqual([STATE_SAID, CURSOR_SAID].sort());
    expect(tempsOf(stage)).toEqual([]);
  });

  test("both are saved soon after there is room again, though nothing more is written", () => {
    const { stage, follower } = followedWithoutRoom();
    const before = cursorOf(stage)?.appliedTotal ?? 0n;
    stage.leader.put(0, 2, 2);
    stage.clock.advance(30_000);
    expect(cursorOf(stage)?.appliedTotal).toBe(before);
    stage.disk.faults = () => null;
    stage.clock.advance(11_000);
    expect(cursorOf(stage)?.appliedTotal).toBe(before + 1n);
    expect([reasonsOf(follower), follower.shard().saveError]).toEqual([[], null]);
    expect(follower.supervisor.saved.failure).toBe(null);
  });

  test("--sync off does not sync for a cursor", () => {
    const stage = new SimStage();
    stage.leader.put(0, 1, 1);
    stage.disk.faults = (call) =>
      call.path.includes("cursor") && call.operation === "write" ? { errno: "ENOSPC" } : null;
    const follower = stage.follow({ settings: { sync: "off" } });
    stage.until("ready", () => follower.ready, 10_000);
    expect(follower.log).toContain(CURSOR_SAID);
    const syncs = () =>
      stage.disk.calls.filter(({ operation, path }) => {
        return operation === "fdatasync" && path.endsWith("fixed.data");
      }).length;
    const before = syncs();
    stage.leader.put(0, 2, 2);
    stage.clock.advance(60_000);
    expect(syncs()).toBe(before);
  });
});

test("a stop without room closes the data, says what it could not save, and the next start makes it good", () => {
  const { stage, follower } = followedWithoutRoom();
  stage.leader.put(0, 2, 2);
  stage.clock.advance(100);
  follower.supervisor.stop();
  stage.until("the end", () => follower.ended !== undefined, 10_000);
  expect(follower.ended).toBe(null);
  expect(follower.reportsOf("ended")).toMatchObject([
    { error: null, unclean: "no space for fixed.versions: the next start reads every slot" },
  ]);
  const said = follower.log.filter((text) => text.includes("ENOSPC"));
  expect(said.map((text) => /[^/]+(?=\.tmp")/.exec(text)?.[0]).sort()).toEqual(
    ["armdb.state.json", "fixed.versions", "fixed_repl.cursor"].sort(),
  );
  expect(tempsOf(stage)).toEqual([]);
  const data = `${SHARD_DIR}/fixed.data`;
  expect(stage.disk.durableBytes(data)?.[17]).toBe(0);
  expect(stage.disk.durableBytes(data)).toEqual(stage.disk.bytes(data) as Uint8Array);

  stage.disk.faults = () => null;
  const again = stage.follow();
  stage.until("ready", () => again.ready, 10_000);
  stage.expectEqual();
  again.supervisor.stop();
  stage.until("the end", () => again.ended !== undefined, 10_000);
  expect([again.ended, stage.disk.durableBytes(data)?.[17]]).toEqual([null, 1]);
});

test("a stop does not take another error of a sidecar for a want of room", () => {
  const stage = new StoreStage();
  const store = stage.create(10);
  stage.disk.faults = ({ path }) => (path.includes("fixed.versions") ? { errno: "EIO" } : null);
  expect(() => store.closeClean(null)).toThrow("EIO");
});
