// A shard's row on a terminal: what it says of the leader's scan, and what of our own disk.

import { expect, test } from "bun:test";
import { FollowProgress } from "../../src/cli/render/follow-progress.ts";
import type { Screen } from "../../src/cli/surface/surface.ts";
import type { ShardSnapshot } from "../../src/replica/follower-types.ts";
import { snapshotOf } from "../status/facts.ts";

function rowOf(snapshot: ShardSnapshot) {
  const screens: Screen[] = [];
  const progress = new FollowProgress({
    telling: {
      isDrawn: true,
      begin: () => {},
      isDue: () => true,
      tell: ({ screen }) => void screens.push(screen()),
      end: () => {},
    },
    sync: "group",
    nowMs: () => 0,
    shardCount: () => 1,
  });
  progress.update(snapshot, () => [snapshot]);
  const { share, text } = screens[0]?.rows[0] ?? {};
  return [share, text];
}

const scan = {
  ...({ link: 1, kind: "first", why: "first", phase: "scanning" } as const),
  ...{ ms: 2_000, slot: 249 },
};

test("a scan has its share and the time left", () => {
  const scanning = snapshotOf({ state: "scanning", scan, scanned: 100 });
  expect(rowOf(scanning)).toEqual([0.25, "100 records, 6 s left"]);
});

test.each(["reading its own slots", "creating its files", "syncing"] as const)(
  "%s is named, whatever the scan has come to",
  (ownWork) => {
    for (const state of ["connecting", "scanning", "live"] as const) {
      const busy = snapshotOf({ state, scan, ownWork, activity: ownWork });
      expect([state, ...rowOf(busy)]).toEqual([state, null, ownWork]);
    }
  },
);
