// A follower that comes back while the leader writes. A leader of generation 1 has given its only stream away by then: the
// follower has to notice that, and scan again and again until the leader itself restarts.

import { describe, expect, test } from "bun:test";
import { ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";
import { inState } from "../support/follower-states.ts";
import { ReplicaStage } from "../support/replica-stage.ts";

const LIMIT_MS = 150_000;
const OPTIONS = ["--poll", "1s", "--resync", "2s"];

describe.if(oracleAvailable())("a follower restarted while the leader writes", () => {
  for (const version of ORACLE_VERSIONS) {
    test.concurrent(
      `ends with the leader's contents (${version})`,
      async () => {
        await using stage = new ReplicaStage(version);
        const leader = await stage.leader();
        await leader.fill(0, 20_000, 1);
        const dir = stage.path("replica");
        const first = stage.follower(leader, dir, OPTIONS);
        await inState(first, "live", 2);
        const writing = leader.rate(3_000, 4, 2, 30_000);
        expect((await first.stop()).status).toBe(0);
        const second = stage.follower(leader, dir, OPTIONS);
        const streams = version !== "0.1.14";
        await inState(second, streams ? "live" : "polling", 2);
        await writing;
        const wanted = await leader.digest();
        // --poll or --resync, the scan, and the time it takes to look.
        await stage.converged(second, dir, wanted, 6_000);
        expect((await second.stop()).status).toBe(0);
        expect(await stage.digest(dir)).toEqual(wanted);
      },
      LIMIT_MS,
    );
  }

  test.concurrent(
    "goes from polling to live when a 0.1.14 leader restarts",
    async () => {
      await using stage = new ReplicaStage("0.1.14");
      const leader = await stage.leader();
      await leader.fill(0, 1_000, 1);
      const dir = stage.path("replica");
      const first = stage.follower(leader, dir, OPTIONS);
      await inState(first, "live", 2);
      expect((await first.stop()).status).toBe(0);
      const second = stage.follower(leader, dir, OPTIONS);
      await inState(second, "polling", 2);
      await leader.close();
      const restarted = await stage.leader(leader.dir, leader.address);
      await inState(second, "live", 2);
      await restarted.fill(500, 1_000, 7);
      const wanted = await restarted.digest();
      // Over the stream: sooner than any scan.
      await stage.converged(second, dir, wanted, 6_000);
    },
    LIMIT_MS,
  );
});
