// The status document: the rules of lag, the verdict, threads that fall silent, and what is said of what is not known.

import { describe, expect, test } from "bun:test";
import { packMeta, STATUS_DELETED, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import type { ShardSnapshot, ShardState } from "../../src/replica/follower-types.ts";
import { durableLagMs, lagMs } from "../../src/status/lag.ts";
import { runningVerdict, verdictStatus } from "../../src/status/verdict.ts";
import { documentOf, NOW_MS, snapshotOf, stateOf, viewOf, WALL_MS } from "./facts.ts";

const OWED = { why: "loss", sinceMs: 5_000, heldUntilMs: null } as const;

describe("lag", () => {
  const cases: [string, Partial<ShardSnapshot>, number | null][] = [
    [
      "live: since it last held all there was, however old the last frame is",
      { lastFrameAtMs: NOW_MS - 10 },
      2_000,
    ],
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
    [
      "never caught up: infinite",
      { lastFullScanAtMs: null, complete: false, currentAtMs: null },
      null,
    ],
    ["never a future", { currentAtMs: NOW_MS + 5 }, 0],
    [
      "a loss is owed for: at least the age of the run that showed it",
      { owed: { ...OWED, sinceMs: 7_000 }, shownAtMs: NOW_MS - 900 },
      7_900,
    ],
    ["any other debt says nothing of lag", { owed: { ...OWED, why: "calendar" } }, 2_000],
  ];
  for (const [name, changes, expected] of cases) {
    test(name, () => expect(lagMs(snapshotOf(changes), NOW_MS, NOW_MS, "group")).toBe(expected));
  }

  test("with --sync off the durable lag is shown and does not count", () => {
    const view = viewOf({ oldestUnsyncedAtMs: NOW_MS - 47_000 }, { heardAtMs: NOW_MS });
    const shown = (sync: "off" | "group") => documentOf([view], { sync }).shards[0];
    expect(shown("off")).toMatchObject({ durableLagMs: 47_000, lagMs: 2_000 });
    expect(shown("group")).toMatchObject({ durableLagMs: 47_000, lagMs: 49_000 });
  });

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
    ["behind", ["stopped", "stopped"], 4],
  ];
  for (const [verdict, states, status] of cases) {
    test(`${states.join(", ") || "no shard"}: ${verdict}, exit ${status}`, () => {
      const shards = states.map((state) => ({ state, divergedSlots: 0 }));
      const shown = runningVerdict(shards, false);
      expect(shown).toBe(verdict as typeof shown);
      expect(verdictStatus(shown)).toBe(status as 0 | 4 | 5);
    });
  }
});

describe("divergence", () => {
  const states: readonly ShardState[] = [
    ...(["connecting", "scanning", "live", "polling", "waiting", "stalled", "diverged"] as const),
    ...(["failed", "stopped"] as const),
  ];
  for (const state of states) {
    test(`outweighs ${state}: verdict and exit status are diverged's`, () => {
      const document = documentOf([viewOf(), viewOf({ shard: 1, state, divergedSlots: 1 })]);
      expect([document.verdict, verdictStatus(document.verdict)]).toEqual(["diverged", 4]);
    });
  }

  test("outweighs a thread that fell silent", () => {
    const silent = viewOf({ state: "diverged", divergedSlots: 2 }, { heardAtMs: NOW_MS - 30_000 });
    const document = documentOf([silent]);
    expect([document.verdict, document.shards[0]?.state]).toEqual(["diverged", "diverged"]);
    expect(document.shards[0]?.activity).toContain("no word from its thread for 30 s");
  });

  test("is over for nobody because the follower stops", () => {
    const stopped = viewOf({ state: "stopped", divergedSlots: 2 }, { ended: true });
    expect(documentOf([stopped], { stopping: true }).verdict).toBe("diverged");
  });
});

describe("a follower that is being stopped", () => {
  test("is behind at best, and not ready", () => {
    const document = documentOf([viewOf()], { stopping: true });
    expect([document.verdict, document.ready]).toEqual(["behind", false]);
  });
});

describe("what is owed, scanned and saved", () => {
  const owed = { why: "loss", sinceMs: 1_000, heldUntilMs: WALL_MS + 60_000 } as const;
  const scan = {
    ...({ link: 4, kind: "beside", why: "loss", phase: "scanning" } as const),
    ...{ ms: 2_000, slot: 249 },
  };

  test("is told as of now, not as of the last report", () => {
    const told = viewOf({ owed, scan, scanned: 100, shownAtMs: NOW_MS - 700 });
    expect(documentOf([told]).shards[0]).toMatchObject({
      owed: { why: "loss", sinceMs: 1_700, heldUntilMs: WALL_MS + 60_000 },
      scan: { kind: "beside", why: "loss", phase: "scanning", ms: 2_700, slot: 249 },
      // 250 of 1000 slots in 2 s; 100 records.
      catchUp: { share: 0.25, recordsPerSecond: 50, leftMs: 6_000, leftIsMost: false },
    });
  });

  test("a scan that waits for its sign of life is all there, and one without a slot has no time left", () => {
    const at = (phase: "scanning" | "confirming", slot: number) =>
      documentOf([viewOf({ scan: { ...scan, phase, slot } })]).shards[0]?.catchUp;
    expect(at("confirming", 700)).toMatchObject({ share: 1, leftMs: 0 });
    expect(at("scanning", -1)).toMatchObject({ share: 0, leftMs: null });
    expect(documentOf([viewOf()]).shards[0]?.catchUp).toBeNull();
  });

  test("of all shards: by slots, as fast as together and as long as the slowest", () => {
    const small = viewOf({ slots: 1_000, scan, scanned: 100 });
    const large = viewOf({ shard: 1, slots: 9_000, scan: { ...scan, slot: 899 }, scanned: 500 });
    expect(documentOf([small, large]).catchUp).toEqual({
      share: 0.115,
      recordsPerSecond: 300,
      leftMs: 18_000,
      leftIsMost: false,
    });
    // Shards that have scanned are all there.
    expect(documentOf([small, viewOf({ shard: 1 })]).catchUp?.share).toBe(0.625);
    expect(documentOf([viewOf()]).catchUp).toBeNull();
  });

  test("of all shards counts those whose turn has not come, also where nothing is known of them", () => {
    const small = viewOf({ slots: 1_000, scan, scanned: 100 });
    const later = viewOf({ shard: 1, slots: 0, scansDone: 0, state: "connecting" });
    const starting = viewOf(null, { shard: 2 });
    // A quarter of one of three shards in 2 s.
    expect(documentOf([small, later, starting]).catchUp).toEqual({
      share: 0.0833,
      recordsPerSecond: 50,
      leftMs: 22_000,
      leftIsMost: false,
    });
  });

  test("has a time left that is the most it can be where the records so far lie without gaps", () => {
    const of = (scanned: number, occupied: number) =>
      documentOf([viewOf({ scan, scanned, occupied })]).shards[0]?.catchUp;
    expect(of(250, 250)).toMatchObject({ share: 0.25, leftMs: 6_000, leftIsMost: true });
    // 300 were here before: a leader that fills the lowest free slot first has about as many.
    expect(of(250, 300)).toEqual({
      share: 0.25,
      recordsPerSecond: 125,
      leftMs: 400,
      leftIsMost: false,
    });
    expect(of(125, 300)).toMatchObject({ leftMs: 6_000 });
    expect(of(125, 300)?.leftIsMost).toBe(false);
  });

  test("complete is true when all shards are, false when one is not, else not known", () => {
    const of = (...complete: (boolean | null)[]) =>
      documentOf(complete.map((each, shard) => viewOf({ shard, complete: each }))).complete;
    expect([of(true, true), of(true, false), of(true, null), of(null, false)]).toEqual([
      true,
      false,
      null,
      false,
    ]);
    expect(documentOf([viewOf()], { shardCount: 2 }).complete).toBeNull();
  });

  test("what comes from the state file has its time, until a scan of this run is whole", () => {
    const early = viewOf({ lastFullScanAtMs: NOW_MS - 500_000 });
    const foundSavedAtMs = WALL_MS - 300_000;
    const saved = { atMs: null, failure: "Cannot write: ENOSPC" };
    const found = stateOf({ savedAtMs: foundSavedAtMs });
    const document = documentOf([early, viewOf({ shard: 1 })], { found, saved });
    expect(document.shards.map(({ asOfMs }) => asOfMs)).toEqual([foundSavedAtMs, null]);
    expect(document).toMatchObject({
      savedAtMs: foundSavedAtMs,
      saveError: "Cannot write: ENOSPC",
      connectionsNextAtMs: null,
    });
    const next = documentOf([viewOf()], { connectionsNextAtMs: WALL_MS + 5.5 });
    expect([next.connectionsNextAtMs, next.savedAtMs]).toEqual([WALL_MS + 6, WALL_MS - 4_000]);
  });
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
    const fresh = {
      lastFullScanAtMs: null,
      complete: false,
      currentAtMs: null,
      streaming: null,
      ready: false,
    };
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
      { slot: 0, kind: "extra", here: { status: "occupied", version: 9 }, there: null },
      {
        slot: 1,
        kind: "newer",
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
