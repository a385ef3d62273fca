// A real leader that is closed in the middle of a scan: it says CaughtUp all the same, with the total that came, and its end may be
// handed on late (wire.md, point 15). Such a scan is never taken for whole: not by --once, not by ready.

import { describe, expect, test } from "bun:test";
import { scannedSlots } from "../support/follow-stage.ts";
import { ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";
import { Proxy } from "../support/proxy.ts";
import { ReplicaStage, TWO_SHARDS } from "../support/replica-stage.ts";

const LIMIT_MS = 120_000;
const RECORDS = 60_000;
const ONE_SHARD = { shards: 1, prefixBits: 0, key: 8, value: 16, growStep: 100_000 };
/** Some seconds for a whole scan; the first second of it comes at once. */
const SLOW = [
  "--once",
  "--limit-rate",
  "500KB",
  "--window",
  "0",
  "--timeout",
  "3s",
  "--progress",
  "250ms",
];

describe.if(oracleAvailable())("a leader closed in the middle of a scan", () => {
  test.concurrent.each(
    ORACLE_VERSIONS.flatMap((version) => [0, 300, 3_000].map((lateMs) => ({ version, lateMs }))),
  )(
    "$version, its end $lateMs ms late: exit 12, and a copy that is known to be broken off",
    async ({ version, lateMs }) => {
      await using stage = new ReplicaStage(version, ONE_SHARD);
      const leader = await stage.leader();
      await leader.fill(0, RECORDS, 1);
      await using proxy = await Proxy.start(leader.port, {
        toFollower: { finishDelayMs: lateMs },
      });
      const dir = stage.path("replica");
      const follower = stage.follower(proxy, dir, SLOW);
      await scannedSlots(follower, 1, 5_000);
      // It closes when all its handlers have ended: nothing of ours holds it up.
      const closed = leader.close().then(() => "the leader");
      const ended = follower.ended();
      expect(await Promise.race([closed, ended.then(() => "the follower")])).toBe("the leader");
      const run = await ended;
      expect(run.status).toBe(12);
      expect(run.lines.filter(({ type }) => type === "ready" || type === "caught-up")).toEqual([]);
      const state = await Bun.file(`${dir}/armdb.state.json`).json();
      expect(state).toMatchObject({ shards: [{ complete: false, lastFullScanAtMs: null }] });

      const back = await stage.leader(leader.dir);
      const { status } = await stage.follower(back, dir, ["--once"]).ended();
      expect(status).toBe(0);
      expect(await stage.digest(dir)).toEqual(await back.digest());
    },
    LIMIT_MS,
  );

  // Its new process answers whoever asks, and one of the two scans is not told of its end.
  test.concurrent.each(ORACLE_VERSIONS)(
    "%s, and back before one of two ends has come through: no scan passes for whole",
    async (version) => {
      await using stage = new ReplicaStage(version, TWO_SHARDS);
      const leader = await stage.leader();
      await leader.fill(0, RECORDS, 1);
      await using proxy = await Proxy.start(leader.port, {
        toFollower: { finishDelayMs: 30_000 },
      });
      const dir = stage.path("replica");
      const args = ["--once", "--limit-rate", "1MB", "--window", "0", "--timeout", "30s"];
      const follower = stage.follower(proxy, dir, [...args, "--progress", "100ms"]);
      await scannedSlots(follower, 2, 8_000);
      await leader.close();
      proxy.resetShard(1);
      const back = await stage.leader(leader.dir);
      proxy.leaderPort = back.port;
      expect((await follower.ended()).status).toBe(0);
      expect(await stage.digest(dir)).toEqual(await back.digest());
    },
    LIMIT_MS,
  );
});
