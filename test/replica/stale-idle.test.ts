// An idle pair costs next to nothing, live or polling. The crate's own pair, once its follower has no stream, echoes heartbeats for
// ever at some 45 % of a core on each side. What passes between the two is counted, as processor time depends on the machine.

import { describe, expect, test } from "bun:test";
import { inState, processTicks, TICKS_PER_SECOND } from "../support/follower-states.ts";
import { oracleAvailable } from "../support/oracle.ts";
import { Proxy } from "../support/proxy.ts";
import { ReplicaStage } from "../support/replica-stage.ts";

const LIMIT_MS = 150_000;
const WATCH_S = 4;
/** Each way, of two shards: a few heartbeats. */
const BYTES_MAX = 1_000;
/** Of one core: idle it is 2 to 4 %, also on a slow machine; a loop that never waits has most of one. */
const SHARE_MAX = 0.3;

describe.if(oracleAvailable())("an idle pair", () => {
  /** Holds that next to nothing happens while nothing is to be done. */
  async function staysQuiet(followerPid: number, { records }: Proxy): Promise<void> {
    const bytes = () => ({
      toLeader: records.reduce((sum, record) => sum + record.bytesToLeader, 0),
      toFollower: records.reduce((sum, record) => sum + record.bytesToFollower, 0),
    });
    const bytesBefore = bytes();
    const ticksBefore = await processTicks(followerPid);
    await Bun.sleep(WATCH_S * 1000);
    const ticks = (await processTicks(followerPid)) - ticksBefore;
    const { toLeader, toFollower } = bytes();
    expect(toLeader - bytesBefore.toLeader).toBeLessThan(BYTES_MAX);
    expect(toFollower - bytesBefore.toFollower).toBeLessThan(BYTES_MAX);
    expect(ticks / TICKS_PER_SECOND / WATCH_S).toBeLessThan(SHARE_MAX);
  }

  for (const version of ["0.1.14", "0.15.0"] as const) {
    test.concurrent(
      `passes next to nothing while live (${version})`,
      async () => {
        await using stage = new ReplicaStage(version);
        const leader = await stage.leader();
        await leader.fill(0, 5_000, 1);
        await using proxy = await Proxy.start(leader.port);
        const follower = stage.follower(proxy, stage.path("replica"));
        await inState(follower, "live", 2);
        await staysQuiet(follower.pid, proxy);
      },
      LIMIT_MS,
    );
  }

  test.concurrent(
    "passes next to nothing while polling (0.1.14)",
    async () => {
      await using stage = new ReplicaStage("0.1.14");
      const leader = await stage.leader();
      await leader.fill(0, 5_000, 1);
      await using proxy = await Proxy.start(leader.port);
      const dir = stage.path("replica");
      const first = stage.follower(proxy, dir);
      await inState(first, "live", 2);
      expect((await first.stop()).status).toBe(0);
      const second = stage.follower(proxy, dir);
      await inState(second, "polling", 2);
      await staysQuiet(second.pid, proxy);
    },
    LIMIT_MS,
  );
});
