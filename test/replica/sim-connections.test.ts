// What connecting costs and what it may change, in simulated time: only connections that a leader accepted count, a leader that never
// answers costs nothing, and one that does not fit leaves the state file as it was.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { SIM_DIR, type SimFollower } from "../support/sim-follower.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const HOUR_MS = 3_600_000;
const STATE_PATH = `${SIM_DIR}/armdb.state.json`;

function allLive(follower: SimFollower, shards: number): boolean {
  const { snapshots } = follower.supervisor;
  return snapshots.length === shards && snapshots.every(({ state }) => state === "live");
}

function followed(
  shards: number,
  generation: 1 | 3 = 1,
): { stage: SimStage; follower: SimFollower } {
  const stage = new SimStage({ generation, shards, slots: 100 });
  for (let shard = 0; shard < shards; shard++) stage.leader.put(shard, 1, 1);
  const follower = stage.follow();
  stage.until("live", () => allLive(follower, shards), 60_000);
  return { stage, follower };
}

describe("a leader that is away", () => {
  // The longest pause, and the heartbeat that shows that the scan was whole.
  test("uses up none of the day's connections, and is followed within 40 s of its return", () => {
    const { stage, follower } = followed(16);
    const used = follower.supervisor.connectionsToday;
    stage.disk.records = false;
    stage.leader.stop();
    stage.clock.advance(4 * HOUR_MS);
    expect(follower.supervisor.connectionsToday).toBe(used);
    stage.leader.start();
    stage.until("live", () => allLive(follower, 16), 40_000);
  });

  test("that came back has accepted what its new process has accepted", () => {
    const { stage, follower } = followed(2);
    stage.leader.stop();
    stage.clock.advance(10_000);
    stage.leader.start();
    stage.until("live", () => allLive(follower, 2), 35_000);
    stage.clock.advance(5_000);
    expect(follower.supervisor.connectionsToday).toBe(2);
  });

  test("is dialed by at most 32 shards at a time", () => {
    const stage = new SimStage({ generation: 3, shards: 100, slots: 100 });
    let most = 0;
    const scanning = () => stage.net.open.filter(({ toConnector }) => toConnector.delivered === 0);
    stage.net.onConnection = ({ toConnector }) => {
      toConnector.delayMs = 50;
      most = Math.max(most, scanning().length);
    };
    const follower = stage.follow();
    stage.until("live", () => allLive(follower, 100), 60_000);
    expect(most).toBeLessThanOrEqual(33);
    expect(most).toBeGreaterThan(16);
  });
});

describe("a wait for the budget", () => {
  test("is said once, with the limit and the time of the next connection", () => {
    const stage = new SimStage({ generation: 1, slots: 100 });
    const follower = stage.follow({ connectionsPerDay: 8 });
    stage.until("live", () => allLive(follower, 1), 10_000);
    stage.leader.stop();
    stage.clock.advance(5_000);
    stage.leader.start();
    stage.until("live", () => allLive(follower, 1), 40_000);
    for (let times = 0; times < 20 && follower.shard().state !== "waiting"; times++) {
      stage.connectionOf(0).reset();
      stage.clock.advance(40_000);
    }
    const nextAtMs = follower.supervisor.connectionsNextAtMs ?? 0;
    expect(nextAtMs).toBeGreaterThan(stage.clock.wallMs());
    expect(follower.shard().activity).toMatch(
      /--leader-connections \(8 a day\); next try at \d\d:\d\d/,
    );
    const said = follower.log.filter((text) => text.includes("--leader-connections"));
    stage.clock.advance(HOUR_MS);
    expect(follower.log.filter((text) => text.includes("--leader-connections"))).toEqual(said);
    expect(said).toHaveLength(1);
  });
});

// The first one is refused for its protocol. Where there is no room for the two that vouch, a heartbeat says that the leader lives.
test.each([
  [3, 3],
  [5, 3],
  [300, 5],
])(
  "a limit of %d connections holds for those that vouch for all, too: %d are made",
  (limit, made) => {
    const stage = new SimStage({ generation: 1, shards: 2, slots: 100 });
    for (let shard = 0; shard < 2; shard++) stage.leader.put(shard, 1, 1);
    const follower = stage.follow({ connectionsPerDay: limit });
    stage.until("live", () => allLive(follower, 2), 60_000);
    expect(follower.supervisor.connectionsToday).toBe(made);
    expect(stage.leader.connectionsEver).toBe(made);
    expect(follower.ready).toBe(true);
  },
);

describe("the state file", () => {
  const savedBytes = (stage: SimStage) =>
    Buffer.from(stage.disk.bytes(STATE_PATH) ?? []).toString();

  test("is byte for byte as before after a run with a mistyped leader", () => {
    const { stage, follower } = followed(2);
    follower.supervisor.stop();
    stage.until("ended", () => follower.ended !== undefined, 10_000);
    const before = savedBytes(stage);
    const port = stage.leader.port + 1;
    const mistyped = stage.follow({ port, settings: { once: true } });
    stage.clock.advance(30_000);
    mistyped.supervisor.stop();
    stage.until("ended", () => mistyped.ended !== undefined, 10_000);
    expect(savedBytes(stage)).toBe(before);
  });

  test("keeps over a restart what it knew, shown as of then, while the leader is away", () => {
    const { stage, follower } = followed(1, 3);
    // The leader's older copy: two slots are newer here.
    stage.leader.put(0, 5, 1);
    stage.leader.put(0, 6, 1);
    stage.clock.advance(1_000);
    stage.leader.stop();
    for (const slot of [5, 6]) stage.leader.forget(0, slot);
    stage.leader.start();
    stage.until("diverged", () => follower.shard().state === "diverged", 60_000);
    follower.kill();
    stage.leader.stop();
    const again = stage.follow();
    stage.clock.advance(5_000);
    const shown = again.shard();
    expect(shown).toMatchObject({ state: "diverged", divergedSlots: 2, complete: true });
    expect(shown.diverged.map(({ slot }) => slot)).toEqual([5, 6]);
    expect(shown.lastFullScanAtMs).not.toBeNull();
    stage.leader.start();
    stage.until("a scan", () => again.shard().scansDone > 0, 60_000);
    expect(again.shard()).toMatchObject({ state: "diverged", divergedSlots: 2 });
  });
});
