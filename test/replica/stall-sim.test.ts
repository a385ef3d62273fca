// A leader that is there and does nothing, in every way there is, in simulated time: noticed within 20 s, named, answered
// by a new connection, while the other shard goes on as if nothing were.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { encodeHeartbeat, encodeShardInfo } from "../../src/wire/messages.ts";
import { batchFrame } from "../support/leader-scripts.ts";
import { ScriptedLeader } from "../support/scripted-leader.ts";
import type { SimFollower } from "../support/sim-follower.ts";
import { GENERATIONS, type Generation } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const NOTICED_MS = 20_000;

function twoShards(generation: Generation): { stage: SimStage; follower: SimFollower } {
  const stage = new SimStage({ generation, shards: 2 });
  for (let slot = 0; slot < 300; slot++) {
    stage.leader.put(0, slot, 1);
    stage.leader.put(1, slot, 1);
  }
  return { stage, follower: stage.follow() };
}

function twoLiveShards(generation: Generation) {
  const { stage, follower } = twoShards(generation);
  stage.until("live", () => [0, 1].every((shard) => isLive(follower, shard)), 10_000);
  return { stage, follower };
}

function isLive(follower: SimFollower, shard: number): boolean {
  return follower.states(shard).at(-1) === "live";
}

/** Shard 0 stalls within 20 s for this reason; shard 1 brings what is written meanwhile. */
function expectStall(stage: SimStage, follower: SimFollower, reason: string): void {
  const stalled = () => follower.states(0).at(-1) === "stalled";
  stage.until("stalled", stalled, NOTICED_MS);
  expect(follower.shard(0).lastError).toContain(reason);
  expect(follower.shard(0).activity).toContain(reason);
  expect(isLive(follower, 1)).toBe(true);
  stage.leader.put(1, 5, 99);
  stage.clock.advance(10);
  expect(stage.differences().filter((slot) => slot.startsWith("1:"))).toEqual([]);
  expect(follower.shard(1).reconnects).toBe(0);
}

/** Once it is well again, shard 0 comes back by itself. */
function expectRecovery(stage: SimStage, follower: SimFollower): void {
  const back = () => ["live", "polling"].includes(follower.states(0).at(-1) ?? "");
  stage.until("back", back, 40_000);
  stage.leader.put(0, 7, 98);
  stage.until("equal", () => stage.differences().length === 0, 400_000);
}

for (const generation of GENERATIONS) {
  describe(`a stalled shard (generation ${generation})`, () => {
    test("a leader that accepts and says nothing", () => {
      const { stage, follower } = twoShards(generation);
      // A new directory needs one shard to learn the geometry from: shard 0 falls silent afterwards.
      stage.until("live", () => isLive(follower, 1) && isLive(follower, 0), 10_000);
      stage.leader.muted.add(0);
      stage.connectionOf(0).reset();
      expectStall(stage, follower, "accepted and said nothing");
      stage.leader.muted.delete(0);
      expectRecovery(stage, follower);
    });

    test("no heartbeat while live", () => {
      const { stage, follower } = twoLiveShards(generation);
      stage.leader.muted.add(0);
      expectStall(stage, follower, "no heartbeat from the leader for 15 s");
      stage.leader.muted.delete(0);
      expectRecovery(stage, follower);
    });

    test("a half-open connection: nothing passes, nobody is told", () => {
      const { stage, follower } = twoLiveShards(generation);
      const dead = stage.connectionOf(0);
      dead.silence();
      expectStall(stage, follower, "no heartbeat from the leader for 15 s");
      // The leader's end is still open, with the stream; at last its system gives it up.
      dead.accepted.end({ kind: "broken", reason: "ETIMEDOUT" });
      expectRecovery(stage, follower);
    });

    test("one byte a second: a begun frame must end", () => {
      const { stage, follower } = twoLiveShards(generation);
      const { toConnector } = stage.connectionOf(0);
      toConnector.bytesPerTurnMax = 1;
      toConnector.delayMs = 1_000;
      stage.leader.put(0, 1, 50);
      expectStall(stage, follower, "a frame began and did not end within");
      expectRecovery(stage, follower);
    });

    test("a worker that died", () => {
      const { stage, follower } = twoLiveShards(generation);
      follower.killThread(0, "out of memory");
      expectStall(stage, follower, "the thread of shard 0 died: out of memory");
      expect(follower.log).toContain("the thread of shard 0 died: out of memory");
      expectRecovery(stage, follower);
    });
  });
}

describe("what is no stall", () => {
  test("a sparse scan that is silent for the time of its file; the silence shows", () => {
    // 4 M slots of 32 bytes: a minute, and 15 s at 8 MiB/s.
    const stage = new SimStage({ generation: 3, slots: 4_000_000 });
    for (let slot = 0; slot < 600; slot++) stage.leader.put(0, slot, 1);
    // The leader reads on through free slots: nothing comes, and the first Ack is not taken yet.
    stage.leader.isPatient = true;
    stage.net.onConnection = ({ toConnector, toListener }) => {
      toConnector.delayMs = 10;
      stage.clock.after(5, () => toListener.hold());
    };
    const follower = stage.follow({ settings: { windowAcks: 0 } });
    stage.clock.advance(74_000);
    // Its scan's, and before it the one that is to vouch for it.
    expect(stage.net.connections.length).toBe(2);
    expect(follower.states()).toEqual(["scanning"]);
    const silentMs = stage.clock.nowMs() - (follower.shard().lastFrameAtMs ?? 0);
    expect(silentMs).toBeGreaterThan(73_000);
    stage.connectionOf(0).toListener.release();
    stage.until("ready", () => follower.ready, 10_000);
  });

  test("but one that is silent for longer is: given up, said, and made again", () => {
    const stage = new SimStage({ generation: 3 });
    stage.leader.isPatient = true;
    for (let slot = 0; slot < 600; slot++) stage.leader.put(0, slot, 1);
    let connections = 0;
    stage.net.onConnection = ({ toConnector, toListener }) => {
      toConnector.delayMs = 10;
      if (connections++ === 1) stage.clock.after(5, () => toListener.hold());
    };
    const follower = stage.follow({ settings: { windowAcks: 0 } });
    stage.until("stalled", () => follower.states().includes("stalled"), 63_000);
    expect(follower.log.join()).toContain("no slot came for 61 s in the middle of the scan");
    expect(follower.shard()).toMatchObject({ complete: false, owed: { why: "cut" } });
    // Only now it hears that the first connection is gone.
    for (const { toListener } of stage.net.connections) toListener.release();
    stage.until("ready", () => follower.ready, 10_000);
    expect(follower.shard()).toMatchObject({ complete: true, owed: null });
  });

  test("an idle leader for hours", () => {
    const { stage, follower } = twoLiveShards(3);
    stage.disk.records = false;
    stage.clock.advance(3 * 3_600_000);
    expect(follower.shard(0).reconnects + follower.shard(1).reconnects).toBe(0);
  });
});

describe("a peer that is no good leader", () => {
  const info = {
    shardCount: 1,
    keyLen: 8,
    valueLen: 16,
    slotSize: 32,
    slotCount: 10,
    shardPrefixBits: 0,
  };

  type NewScript = ConstructorParameters<typeof ScriptedLeader>[2];

  /** Plays a script instead of the leader; the shard stalls within the limit for this reason. */
  function expectScriptStalls(
    script: NewScript,
    reason: string,
    bend: (stage: SimStage) => void = () => {},
  ): void {
    const stage = new SimStage();
    bend(stage);
    const leader = new ScriptedLeader(stage.net, stage.clock, script);
    const follower = stage.follow({ port: leader.port });
    stage.until("stalled", () => follower.states().at(-1) === "stalled", NOTICED_MS);
    expect(follower.shard().lastError).toContain(reason);
    stage.until("again", () => leader.peers.length === 2, 2_000);
  }

  test("heartbeats without end and no ShardInfo", () => {
    const script: NewScript = () =>
      function* (peer) {
        yield* peer.request();
        while (peer.ended === null) {
          peer.send(encodeHeartbeat());
          yield* peer.pause(500);
        }
      };
    expectScriptStalls(script, "accepted and said nothing");
  });

  test("a leader that sends without reading: acks pile up", () => {
    const script: NewScript = () =>
      function* (peer) {
        yield* peer.request();
        peer.send(encodeShardInfo(info));
        while (peer.ended === null) {
          for (let batch = 0; batch < 300; batch++) peer.send(batchFrame(0, info, []));
          yield* peer.pause(10);
        }
      };
    expectScriptStalls(script, "reads nothing", (stage) => {
      stage.net.onConnection = ({ toListener }) => {
        stage.clock.after(1, () => {
          toListener.hold();
          toListener.capacityBytes = 1_000;
        });
      };
    });
  });

  test("an address that swallows connects", () => {
    const stage = new SimStage();
    stage.net.rule = "blackhole";
    const follower = stage.follow();
    const tookMs = stage.until("waiting", () => follower.states().at(-1) === "waiting", NOTICED_MS);
    // A second for the one that is to vouch, and the scan's own.
    expect(tookMs).toBeLessThanOrEqual(6_100);
    expect(follower.shard().lastError).toContain("no answer within 5000 ms");
  });
});
