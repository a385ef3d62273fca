// The status document: the rules of lag, the verdict, threads that fall silent, and what is said of what is not known.

import { describe, expect, test } from "bun:test";
import { packMeta, STATUS_DELETED, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import type { ShardSnapshot, ShardState } from "../../src/replica/follower-types.ts";
import { durableLagMs, lagMs } from "../../src/status/lag.ts";
import { verdictOf, verdictStatus } from "../../src/status/verdict.ts";
import { documentOf, NOW_MS, snapshotOf, viewOf, WALL_MS } from "./facts.ts";

describe("lag", () => {
  const cases: [string, Partial<ShardSnapshot>, number | null][] = [
    ["live: the age of the last frame", {}, 2_000],
    [
      "live: plus the age of the oldest unsynced write",
      { oldestUnsyncedAtMs: NOW_MS - 300 },
      2_300,
    ],
    ["polling: the age of the start of the last whole scan", { streaming: "polling" }, 60_000],
    [
      "the stream is lost: the age of its last frame, whatever frames a scan brings since",
      { streaming: null, currentAtMs: NOW_MS - 9_000, lastFrameAtMs: NOW_MS - 10 },
      9_000,
    ],
    ["never caught up: infinite", { lastFullScanAtMs: null, currentAtMs: null }, null],
    ["never a future", { lastFrameAtMs: NOW_MS + 5 }, 0],
  ];
  for (const [name, changes, expected] of cases) {
    test(name, () => expect(lagMs(snapshotOf(changes), NOW_MS, NOW_MS)).toBe(expected));
  }

  test("durable lag is 0 when all is durable", () => {
    expect(durableLagMs(snapshotOf(), NOW_MS, NOW_MS)).toBe(0);
    expect(durableLagMs(snapshotOf({ oldestUnsyncedAtMs: NOW_MS - 40 }), NOW_MS, NOW_MS)).toBe(40);
  });

  test("durable lag is what the shard's figures said, until new ones are overdue", () => {
    const at = (toldAtMs: number) =>
      durableLagMs(snapshotOf({ oldestUnsyncedAtMs: toldAtMs - 40 }), toldAtMs, NOW_MS);
    expect(at(NOW_MS - 900)).toBe(40);
    expect(at(NOW_MS - 2_000)).toBe(40);
    expect(at(NOW_MS - 2_001)).toBe(2_041);
  });
});

describe("verdict", () => {
  const cases: [string, readonly ShardState[], number][] = [
    ["live", ["live", "live"], 0],
    ["behind", [], 4],
    ["behind", ["live", "connecting"], 4],
    ["behind", ["scanning"], 4],
    ["behind", ["polling", "live"], 4],
    ["behind", ["waiting"], 4],
    ["behind", ["live", "stopped"], 4],
    ["stalled", ["waiting", "stalled"], 4],
    ["stalled", ["failed", "live"], 4],
    ["diverged", ["diverged", "live"], 4],
    ["diverged", ["failed", "diverged", "scanning"], 4],
    ["stopped", ["stopped", "stopped"], 5],
  ];
  for (const [verdict, states, status] of cases) {
    test(`${states.join(", ") || "no shard"}: ${verdict}, exit ${status}`, () => {
      expect(verdictOf(states)).toBe(verdict as ReturnType<typeof verdictOf>);
      expect(verdictStatus(verdictOf(states))).toBe(status as 0 | 4 | 5);
    });
  }
});

describe("the status document", () => {
  test("has every field of cli.md with its kind", () => {
    const document = documentOf([viewOf(), viewOf({ shard: 1, lastError: "no connection" })]);
    expect(document).toMatchObject({
      schema: 1,
      command: "status",
      running: true,
      leader: "10.0.0.5:7400",
      protocol: 1,
      verdict: "live",
      connectionsToday: 3,
      ready: true,
      pid: 4711,
      atMs: WALL_MS,
      upMs: 120_000,
    });
    expect(document.shards[1]).toMatchObject({
      shard: 1,
      state: "live",
      slots: 1000,
      occupied: 600,
      scanned: "650",
      appliedTotal: "650",
      skippedTotal: "10",
      healedTotal: "0",
      divergedSlots: 0,
      reconnects: 0,
      lastFrameMsAgo: 2_000,
      lastFullScanMsAgo: 60_000,
      durableLagMs: 0,
      lagMs: 2_000,
      maxVersionSeen: 7,
      lastError: "no connection",
      caughtUp: true,
      scanningShare: 0.01,
    });
  });

  test("a shard that never caught up has a lag of null and says so", () => {
    const fresh = { lastFullScanAtMs: null, currentAtMs: null, streaming: null, ready: false };
    const document = documentOf([viewOf({ ...fresh, state: "scanning" })]);
    expect(document.shards[0]).toMatchObject({ lagMs: null, caughtUp: false });
    expect([document.verdict, document.ready]).toEqual(["behind", false]);
  });

  test("a thread without a word for 20 s is stalled and named, one of 19 s is not", () => {
    const quiet = (ms: number) => viewOf({ shard: 3 }, { heardAtMs: NOW_MS - ms });
    expect(documentOf([quiet(19_000)]).verdict).toBe("live");
    const document = documentOf([quiet(20_000)]);
    expect(document.verdict).toBe("stalled");
    expect(document.shards[0]).toMatchObject({
      shard: 3,
      state: "stalled",
      ready: false,
      silentMs: 20_000,
      lastError: "no word from its thread for 20 s; the last was: following the live stream",
    });
    expect(document.ready).toBe(false);
  });

  test("a thread that never said anything is connecting, then stalled", () => {
    expect(documentOf([viewOf(null)]).shards[0]).toMatchObject({
      state: "connecting",
      slots: null,
      appliedTotal: null,
      lagMs: null,
      caughtUp: false,
    });
    const late = viewOf(null, { heardAtMs: NOW_MS - 25_000 });
    expect(documentOf([late]).shards[0]?.state).toBe("stalled");
  });

  test("a shard that is over is not called silent", () => {
    const over = viewOf({ state: "failed", lastError: "EIO" }, { ended: true, heardAtMs: 0 });
    expect(documentOf([over]).shards[0]).toMatchObject({ state: "failed", ready: false });
  });

  test("is not ready before every shard of the geometry is there", () => {
    expect(documentOf([viewOf()], { shardCount: 2 }).ready).toBe(false);
    expect(documentOf([viewOf()], { shardCount: null }).ready).toBe(false);
    expect(documentOf([viewOf()], { shardCount: 1 }).ready).toBe(true);
  });

  test("lists diverged slots by number, at most 1000 of all shards together", () => {
    const slot = (number: number) => ({
      slot: number,
      kind: "older" as const,
      here: packMeta(STATUS_OCCUPIED, 9),
      there: number === 0 ? null : packMeta(STATUS_DELETED, 8),
    });
    const diverged = Array.from({ length: 600 }, (_, number) => slot(number));
    const shards = [0, 1].map((shard) => viewOf({ shard, diverged, divergedSlots: 600 }));
    const document = documentOf(shards);
    expect(document.shards.map((shard) => shard.diverged.length)).toEqual([600, 400]);
    expect(document.shards[0]?.diverged.slice(0, 2)).toEqual([
      { slot: 0, kind: "older", here: { status: "occupied", version: 9 }, there: null },
      {
        slot: 1,
        kind: "older",
        here: { status: "occupied", version: 9 },
        there: { status: "deleted", version: 8 },
      },
    ]);
  });

  test("u64 past 2^53 keep every digit", () => {
    const document = documentOf([viewOf({ appliedTotal: 2n ** 64n - 1n })]);
    expect(document.shards[0]?.appliedTotal).toBe("18446744073709551615");
  });
});
