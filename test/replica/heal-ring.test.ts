// Events that a leader drops in silence because its ring is full: after a port scan, which starts the ring, and in bursts that
// are faster than any follower. The replica has to end with the leader's contents all the same.

import { describe, expect, test } from "bun:test";
import { ORACLE_VERSIONS, type OracleLeader, oracleAvailable } from "../support/oracle.ts";
import { inState, linesOf } from "../support/follower-states.ts";
import { ReplicaStage } from "../support/replica-stage.ts";

const LIMIT_MS = 150_000;
/** Within --resync plus a scan, and what a look takes on a busy machine. */
const CONVERGE_MS = 8_000;

describe.if(oracleAvailable())("a leader whose ring overflows", () => {
  for (const version of ORACLE_VERSIONS) {
    test(
      `after a port scan and 30,000 writes the first follower converges (${version})`,
      async () => {
        await using stage = new ReplicaStage(version);
        const leader = await stage.leader();
        await leader.fill(0, 10_000, 1);
        await portScan(leader);
        await leader.churn(30_000, 2, 20_000);
        const dir = stage.path("replica");
        // What is written while it scans meets a ring that is full of old events.
        const follower = stage.follower(leader, dir, ["--resync", "3s", "--limit-rate", "400KB"]);
        await inState(follower, "scanning", 2);
        follower.signal("SIGSTOP");
        await leader.churn(4_000, 3, 20_000);
        expect(linesOf(follower, "caught-up")).toEqual([]);
        follower.signal("SIGCONT");
        const wanted = await leader.digest();
        await follower.ready();
        await stage.converged(follower, dir, wanted, CONVERGE_MS);
        // The proof that something was lost, where a scan beside the stream can tell.
        if (version === "0.1.14") {
          await follower.line((line) => Number(line["healed"]) > 0);
        }
        expect((await follower.stop()).status).toBe(0);
        expect(await stage.digest(dir)).toEqual(wanted);
      },
      LIMIT_MS,
    );

    test(
      `bursts of 200,000 mixed writes while live converge (${version})`,
      async () => {
        await using stage = new ReplicaStage(version);
        const leader = await stage.leader();
        await leader.fill(0, 10_000, 1);
        const dir = stage.path("replica");
        const follower = stage.follower(leader, dir, ["--resync", "3s", "--poll", "1s"]);
        await inState(follower, "live", 2);
        for (const seed of [4, 5]) {
          // Once at its own pace, once while it stands still and the buffers in between fill up.
          if (seed === 5) follower.signal("SIGSTOP");
          await leader.churn(200_000, seed, 40_000);
          follower.signal("SIGCONT");
          const wanted = await leader.digest();
          await stage.converged(follower, dir, wanted, CONVERGE_MS);
        }
        const wanted = await leader.digest();
        expect((await follower.stop()).status).toBe(0);
        expect(await stage.digest(dir)).toEqual(wanted);
      },
      LIMIT_MS,
    );
  }
});

/** Connects and closes without a word, as a port scan or a health check does; resolves once the leader has let go. */
function portScan(leader: OracleLeader): Promise<void> {
  return new Promise((resolve, reject) => {
    Bun.connect({
      hostname: "127.0.0.1",
      port: leader.port,
      allowHalfOpen: true,
      socket: {
        open: (socket) => void socket.shutdown(),
        data() {},
        close: () => resolve(),
        end: (socket) => void socket.end(),
      },
    }).catch(reject);
  });
}
