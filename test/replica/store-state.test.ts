// armdb.state.json: what is saved is read again, and nothing that may lie there in its place does harm.

import { describe, expect, test } from "bun:test";
import { OWN_NEW_FILES } from "../../src/store/ownership.ts";
import { type FollowerState, NO_OTHERS, readState, saveState } from "../../src/store/state-file.ts";
import { RecordingDisk } from "../support/recording-disk.ts";

const PATH = "/db/armdb.state.json";
const STATE: FollowerState = {
  leader: "10.0.0.5:7400",
  protocol: 1,
  created: true,
  shards: [
    {
      shard: 0,
      complete: false,
      lastFullScanAtMs: 1_795_000_000_000,
      lastFullScanTookMs: 1234,
      divergedSlots: 2,
      diverged: [
        [3, "older", 21, 17],
        [9, "missing", 5, null],
      ],
      owed: { why: "loss", sinceAtMs: 1_794_999_999_000 },
      currentAtMs: 1_795_000_000_500,
      leaderHeardAtMs: 1_795_000_000_600,
      counters: {
        ...{ scansTotal: 1, healedTotal: 2, rescannedTotal: "3", replacedTotal: "4" },
        ...{ skippedTotal: "18446744073709551615", resetsSaved: 6 },
      },
    },
  ],
  connectionsAtMs: [1, 2, 3],
  savedAtMs: 1_795_000_000_001,
  others: NO_OTHERS,
};

function diskWith(text: string | null): RecordingDisk {
  const disk = new RecordingDisk(() => 0);
  disk.makeDirectory("/db");
  if (text !== null) {
    const file = disk.open(PATH, "create");
    file.write(Buffer.from(text), 0);
    file.close();
  }
  return disk;
}

describe("the state file", () => {
  test("gives back what was saved", () => {
    const disk = diskWith(null);
    saveState(disk, "/db", STATE, OWN_NEW_FILES);
    expect(readState(disk, "/db")).toEqual(STATE);
    saveState(disk, "/db", { ...STATE, created: false, protocol: null }, OWN_NEW_FILES);
    expect(readState(disk, "/db")).toEqual({ ...STATE, created: false, protocol: null });
    expect(JSON.parse(Buffer.from(disk.bytes(PATH) ?? []).toString())).toMatchObject({ schema: 1 });
  });

  test.each([
    ["::1:7400", "[::1]:7400"],
    ["fe80::1%eth0:65535", "[fe80::1%eth0]:65535"],
    ["[::1]:7400", "[::1]:7400"],
    ["10.0.0.5:7400", "10.0.0.5:7400"],
    ["db1:7400", "db1:7400"],
  ])("with the leader %s is of %s", (saved, leader) => {
    const { others: _, ...known } = STATE;
    const disk = diskWith(JSON.stringify({ ...known, leader: saved }));
    expect(readState(disk, "/db")).toEqual({ ...STATE, leader });
  });

  test("keeps what is not ours, and writes it back", () => {
    const [shard] = STATE.shards;
    const known = { leader: "a:1", later: { much: 1 }, shards: [{ ...shard, tide: "high" }] };
    const disk = diskWith(JSON.stringify(known));
    for (let run = 0; run < 10; run++) {
      saveState(disk, "/db", readState(disk, "/db") ?? STATE, OWN_NEW_FILES);
    }
    const saved = JSON.parse(Buffer.from(disk.bytes(PATH) ?? []).toString()) as object;
    expect(saved).toMatchObject(known);
    const much = { ...known, later: "x".repeat(70_000) };
    expect(readState(diskWith(JSON.stringify(much)), "/db")?.others).toEqual(NO_OTHERS);
  });

  test("of an older armdb says that a shard is complete by its last whole scan", () => {
    const shards = [
      { shard: 0, lastFullScanAtMs: 1_795_000_000_000, divergedSlots: 0 },
      { shard: 1, lastFullScanAtMs: null, divergedSlots: 0 },
    ];
    const state = readState(diskWith(JSON.stringify({ leader: "a:1", shards })), "/db");
    expect(state?.shards.map(({ complete }) => complete)).toEqual([true, null]);
  });

  test("has no counters where an older armdb saved none, or they make no sense", () => {
    const [shard] = STATE.shards;
    const counters = (value: unknown) => {
      const shards = [{ ...shard, counters: value }];
      return readState(diskWith(JSON.stringify({ leader: "a:1", shards })), "/db")?.shards[0]
        ?.counters;
    };
    const sound = shard?.counters ?? null;
    expect(counters(sound)).toEqual(sound);
    const odd = [
      undefined,
      7,
      [],
      {},
      { ...sound, scansTotal: -1 },
      { ...sound, skippedTotal: "1e3" },
    ];
    expect(odd.map(counters)).toEqual(odd.map(() => null));
  });

  test("is replaced so that a crash leaves the old or the new one", () => {
    const disk = diskWith("{}");
    disk.calls.length = 0;
    saveState(disk, "/db", STATE, OWN_NEW_FILES);
    expect(disk.calls.map((call) => call.operation)).toEqual([
      "open create",
      "write",
      "fsync",
      "close",
      "rename",
      "sync directory",
    ]);
  });

  const harmless: readonly (readonly [string, string | null])[] = [
    ["is not there", null],
    ["is empty", ""],
    ["is cut", '{"leader":"a:1","shards":[{"sha'],
    ["is no object", "[1,2]"],
    ["is null", "null"],
    ["has no leader", '{"protocol":1}'],
    ["has a leader that is a number", '{"leader":7}'],
    ["is larger than anybody would write", `{"leader":"${"x".repeat(2_000_000)}"}`],
    ["is no UTF-8", "\u{fffd}\u0000"],
  ];
  for (const [what, text] of harmless) {
    test(`counts as absent where it ${what}`, () => {
      expect(readState(diskWith(text), "/db")).toBeNull();
    });
  }

  test("is read with what makes sense in it and defaults for the rest", () => {
    const odd = {
      leader: "x".repeat(1000),
      protocol: 7,
      created: "no",
      shards: [null, 3, { shard: "a", divergedSlots: -0.5, lastFullScanAtMs: "late" }],
      connectionsAtMs: [1, "2", null, 4, ...Array(40_000).fill(5)],
      savedAtMs: null,
      more: "fields",
    };
    const state = readState(diskWith(JSON.stringify(odd)), "/db");
    expect(state?.leader.length).toBe(300);
    expect(state).toMatchObject({
      protocol: null,
      created: true,
      shards: [{ shard: 0, lastFullScanAtMs: null, divergedSlots: -0.5 }],
      savedAtMs: 0,
    });
    expect(state?.connectionsAtMs.length).toBeLessThanOrEqual(30_000);
    expect(state?.connectionsAtMs.every((atMs) => atMs === 5)).toBe(true);
  });
});
