// Generation 1 without its stream, in simulated time: the verdict on the heartbeat probe, the scans in its place and the share of
// the time they may take, the day's connections, and the way back to a live stream.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { SIM_DIR } from "../support/sim-follower.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const DAY_MS = 24 * 3_600_000;

/** A generation 1 leader whose streams are taken by an earlier follower that is gone. */
function withoutStream(options: { readonly slots?: number; readonly shards?: number } = {}) {
  const { slots = 300, shards = 1 } = options;
  const stage = new SimStage({ generation: 1, slots, shards });
  for (let slot = 0; slot < slots; slot++) {
    for (let shard = 0; shard < shards; shard++) stage.leader.put(shard, slot, 1);
  }
  const first = stage.follow();
  stage.until("live", () => first.states().at(-1) === "live", 10_000);
  first.kill();
  stage.disk.killed();
  stage.clock.advance(1_000);
  return stage;
}

describe("a generation 1 leader that has given its stream away", () => {
  test("is known by its echo within 7 s, and by nothing else", () => {
    const stage = withoutStream();
    const follower = stage.follow({ settings: { pollMs: 60_000 } });
    const tookMs = stage.until("polling", () => follower.states().at(-1) === "polling", 10_000);
    expect(tookMs).toBeLessThan(7_500);
    expect(follower.states()).not.toContain("live");
  });

  test("is scanned every --poll: what it wrote is here one poll and one scan later", () => {
    const stage = withoutStream();
    const follower = stage.follow({ settings: { pollMs: 60_000 } });
    stage.until("polling", () => follower.states().at(-1) === "polling", 10_000);
    for (let round = 0; round < 10; round++) {
      stage.leader.put(0, round, 7);
      stage.until("equal", () => stage.differences().length === 0, 62_000);
    }
    expect(follower.shard().state).toBe("polling");
  });

  test("is said to be scanned again and again, but not with --once, which ends", () => {
    const tells = (log: readonly string[]) =>
      log.some((text) => text.includes("No live stream from this leader until it restarts"));
    // A sync this slow leaves the leader time to answer before the end.
    const settings = { pollMs: 60_000 };
    const stage = withoutStream();
    const once = stage.follow({ settings: { ...settings, once: true }, syncMs: () => 9_000 });
    stage.until("polling", () => once.states().at(-1) === "polling", 10_000);
    expect(once.shard().activity).toMatch(/^waiting \d s for fdatasync$/);
    stage.until("ended", () => once.ended === null, 40_000);
    expect(tells(once.log)).toBe(false);

    const follower = stage.follow({ settings });
    stage.until("polling", () => follower.states().at(-1) === "polling", 10_000);
    expect(follower.shard().activity).toBe("rescanning: no live stream available");
    expect(tells(follower.log)).toBe(true);
  });

  test("is never taken for one that streams because the scan's heartbeats went astray", () => {
    const stage = withoutStream();
    const follower = stage.follow({ settings: { pollMs: 60_000 } });
    stage.clock.advance(3_600_000);
    expect(follower.states().filter((state) => state === "live")).toEqual([]);
    expect(follower.states().filter((state) => state === "stalled")).toEqual([]);
    // One probe a connection, and not one echo of an echo.
    const heartbeats = stage.net.connections.flatMap(({ connecting }) =>
      connecting.sends.filter((frame) => frame[0] === 6),
    );
    expect(heartbeats.length).toBeLessThanOrEqual(stage.net.connections.length);
  });

  test("streams again after a restart: the follower goes live with the next connection", () => {
    const stage = withoutStream();
    const follower = stage.follow({ settings: { pollMs: 300_000 } });
    stage.until("polling", () => follower.states().at(-1) === "polling", 10_000);
    stage.leader.stop();
    stage.clock.advance(500);
    stage.leader.start();
    stage.until("live", () => follower.states().at(-1) === "live", 10_000);
    stage.leader.put(0, 1, 8);
    stage.clock.advance(100);
    stage.expectEqual();
  });
});

describe("polling", () => {
  test("scans at most a fifth of the time, however short --poll is", () => {
    const stage = withoutStream({ slots: 2_000 });
    // A round trip of 2 s and strict acks: a scan takes some 16 s.
    stage.net.onConnection = (connection) => {
      connection.toConnector.delayMs = 2_000;
    };
    const settings = { pollMs: 1_000, windowAcks: 0 };
    const follower = stage.follow({ settings, connectionsPerDay: null });
    stage.clock.advance(2 * 3_600_000);
    expect(follower.shard().lastFullScanTookMs).toBeGreaterThan(10_000);
    expect(follower.shard().scansDone).toBeGreaterThan(50);
    expect(follower.shard().scanningShare).toBeLessThanOrEqual(0.21);
    expect(follower.shard().scanningShare).toBeGreaterThan(0.15);
  });

  test("keeps within --leader-connections, all shards together, over any day and over restarts", () => {
    const limit = 60;
    const stage = withoutStream({ shards: 2, slots: 10 });
    const atMs: number[] = [];
    stage.net.onConnection = () => void atMs.push(stage.clock.nowMs());
    stage.disk.records = false;
    const settings = { pollMs: 30_000 };
    let follower = stage.follow({ settings, connectionsPerDay: limit });
    for (let part = 0; part < 4; part++) {
      stage.clock.advance(DAY_MS / 2);
      expect(follower.supervisor.connectionsToday).toBeLessThanOrEqual(limit);
      follower.supervisor.stop();
      stage.clock.advance(1_000);
      expect(follower.ended).toBe(null);
      follower = stage.follow({ settings, connectionsPerDay: limit });
    }
    // The first run's probes of protocol 2 are not a generation 1 leader's connections by the count, but are by the clock.
    for (const [index, from] of atMs.entries()) {
      const inADay = atMs.slice(index).filter((at) => at < from + DAY_MS).length;
      expect(inADay).toBeLessThanOrEqual(limit);
    }
    expect(atMs.length).toBeGreaterThan(limit);
    follower.kill();
  }, 30_000);

  test("is the same with the brackets of its address and, as earlier versions saved it, without", () => {
    const stage = new SimStage({ generation: 1 });
    const path = `${SIM_DIR}/armdb.state.json`;
    const saved = () => Buffer.from(stage.disk.bytes(path) ?? []).toString();
    const settings = { host: "::1" };
    const first = stage.follow({ settings });
    stage.until("live", () => first.states().at(-1) === "live", 10_000);
    first.supervisor.stop();
    stage.until("the end", () => first.ended !== undefined, 10_000);
    const { port } = stage.leader;
    expect([first.supervisor.leader, JSON.parse(saved()).leader]).toEqual([
      `[::1]:${port}`,
      `[::1]:${port}`,
    ]);
    const file = stage.disk.open(path, "write");
    const old = Buffer.from(saved().replace(`[::1]:${port}`, `::1:${port}`));
    file.truncate(old.length);
    file.write(old, 0);
    file.close();
    const { connectionsToday } = first.supervisor;
    expect(connectionsToday).toBeGreaterThan(0);
    expect(stage.follow({ settings }).supervisor.connectionsToday).toBe(connectionsToday);
  });

  test("says that it waits when the day's connections are used up", () => {
    const stage = withoutStream();
    const follower = stage.follow({ settings: { pollMs: 1_000 }, connectionsPerDay: 10 });
    stage.clock.advance(3_600_000);
    expect(follower.supervisor.connectionsToday).toBe(10);
    expect(follower.shard().scansDone).toBeLessThanOrEqual(10);
    // The connection that is there is kept: a restarted leader is noticed at once.
    expect(follower.shard().state).toBe("polling");
    stage.leader.stop();
    stage.clock.advance(10_000);
    expect(follower.shard().state).toBe("waiting");
    expect(follower.shard().activity).toContain("connections");
  });
});
