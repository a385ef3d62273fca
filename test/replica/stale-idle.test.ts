// An idle pair costs next to nothing, live or polling. The crate's own pair, once its follower has no stream, echoes heartbeats for
// ever at some 45 % of a core on each side.

import { beforeAll, describe, expect, test } from "bun:test";
import { inState, processTicks, TICKS_PER_SECOND } from "../support/follower-states.ts";
import { buildOracle, oracleAvailable } from "../support/oracle.ts";
import { ReplicaStage } from "../support/replica-stage.ts";

const LIMIT_MS = 150_000;
const WATCH_S = 4;
/** Share of one core, each side. */
const SHARE_MAX = 0.05;

describe.if(oracleAvailable())("an idle pair", () => {
  beforeAll(async () => void (await buildOracle()), 20 * 60_000);

  /** Processor time of a follower and its leader while nothing happens, in shares of a core. */
  async function sharesOf(followerPid: number, leaderPid: number): Promise<number[]> {
    const pids = [followerPid, leaderPid];
    const before = await Promise.all(pids.map(processTicks));
    await Bun.sleep(WATCH_S * 1000);
    const after = await Promise.all(pids.map(processTicks));
    return after.map((ticks, index) => (ticks - (before[index] ?? 0)) / TICKS_PER_SECOND / WATCH_S);
  }

  for (const version of ["0.1.14", "0.15.0"] as const) {
    test.concurrent(
      `uses next to no processor time while live (${version})`,
      async () => {
        await using stage = new ReplicaStage(version);
        const leader = await stage.leader();
        await leader.fill(0, 5_000, 1);
        const follower = stage.follower(leader, stage.path("replica"));
        await inState(follower, "live", 2);
        for (const share of await sharesOf(follower.pid, leader.pid)) {
          expect(share).toBeLessThan(SHARE_MAX);
        }
      },
      LIMIT_MS,
    );
  }

  test.concurrent(
    "uses next to no processor time while polling (0.1.14)",
    async () => {
      await using stage = new ReplicaStage("0.1.14");
      const leader = await stage.leader();
      await leader.fill(0, 5_000, 1);
      const dir = stage.path("replica");
      const first = stage.follower(leader, dir);
      await inState(first, "live", 2);
      expect((await first.stop()).status).toBe(0);
      const second = stage.follower(leader, dir);
      await inState(second, "polling", 2);
      for (const share of await sharesOf(second.pid, leader.pid)) {
        expect(share).toBeLessThan(SHARE_MAX);
      }
    },
    LIMIT_MS,
  );
});
