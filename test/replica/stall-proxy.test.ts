// Stalls on real sockets: a connection that goes half-open under a live stream, a port that accepts and says nothing, one byte a
// second. Each is noticed within 20 s, named, and answered by a new connection; the other shard goes on. One generation of leaders
// here; stall-sim.test.ts has all three, in simulated time.

import { describe, expect, test } from "bun:test";
import type { Armdb } from "../support/armdb.ts";
import { inState, linesOf, stepsOf } from "../support/follower-states.ts";
import { oracleAvailable } from "../support/oracle.ts";
import { Proxy } from "../support/proxy.ts";
import { shardsOf } from "../support/replica-contents.ts";
import { ReplicaStage } from "../support/replica-stage.ts";

const LIMIT_MS = 150_000;
const NOTICED_MS = 20_000;

/** Waits until shard 0 is stalled; what it says of it. */
async function stalled(follower: Armdb, from: number): Promise<string> {
  const line = await follower.line({ type: "shard", shard: 0, state: "stalled" }, from, NOTICED_MS);
  return String(line["detail"]);
}

describe.if(oracleAvailable())("a connection that goes half-open under a live stream", () => {
  test.concurrent(
    "is noticed within 20 s, and the other shard goes on",
    async () => {
      await using stage = new ReplicaStage("0.15.0");
      const leader = await stage.leader();
      await leader.fill(0, 40, 1);
      await using proxy = await Proxy.start(leader.port);
      const dir = stage.path("replica");
      const follower = stage.follower(proxy, dir, ["--poll", "1s"]);
      await inState(follower, "live", 2);
      const from = follower.mark;
      proxy.freezeShard(0);
      await leader.fill(40, 1_000, 1);
      expect(await stalled(follower, from)).toContain("no heartbeat from the leader");
      expect(stepsOf(follower, 1, from)).toEqual([]);
      await leader.fill(0, 1_500, 2);
      const wantedOfShard1 = shardsOf(leader.dir)[1]?.usedWords;
      while (!Bun.deepEquals(shardsOf(dir)[1]?.usedWords, wantedOfShard1)) {
        await Bun.sleep(50);
      }
      // This leader holds the dead stream for minutes; here its end is told.
      proxy.resetAll();
      await inState(follower, "live", 2, 40_000);
      await stage.converged(follower, dir, await leader.digest(), 10_000);
    },
    LIMIT_MS,
  );
});

describe("a peer that is there and does nothing", () => {
  test.concurrent(
    "a port that accepts and says nothing is named and tried again",
    async () => {
      await using stage = new ReplicaStage("0.15.0");
      let asked = 0;
      const server = Bun.listen({
        hostname: "127.0.0.1",
        port: 0,
        socket: { data: () => void asked++ },
      });
      try {
        const follower = stage.follower(
          { address: `127.0.0.1:${server.port}` },
          stage.path("replica"),
        );
        expect(await stalled(follower, 0)).toContain(
          "the leader accepted and said nothing for 5 s",
        );
        await follower.line({ type: "shard", shard: 0, state: "stalled" }, 0, NOTICED_MS);
        while (asked < 2) await Bun.sleep(50);
      } finally {
        server.stop(true);
      }
    },
    LIMIT_MS,
  );

  test.if(oracleAvailable()).concurrent(
    "one byte a second is no leader either",
    async () => {
      await using stage = new ReplicaStage("0.15.0");
      const leader = await stage.leader();
      await leader.fill(0, 100, 1);
      await using proxy = await Proxy.start(leader.port, { toFollower: { bytesPerSecond: 1 } });
      const dir = stage.path("replica");
      const follower = stage.follower(proxy, dir);
      expect(await stalled(follower, 0)).toContain("said nothing for 5 s");
      proxy.plan = {};
      await follower.ready();
      expect(linesOf(follower, "error")).toEqual([]);
      await stage.converged(follower, dir, await leader.digest(), 10_000);
    },
    LIMIT_MS,
  );
});
