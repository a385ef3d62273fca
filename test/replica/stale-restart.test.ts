// A follower that comes back while the leader writes. A leader of generation 1 has given its only stream away by then: the
// follower has to notice that, and scan again and again until the leader itself restarts.

import { beforeAll, describe, expect, test } from "bun:test";
import { buildOracle, ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";
import { ReplicaStage } from "../support/replica-stage.ts";

const LIMIT_MS = 60_000;
const OPTIONS = ["--poll", "1s", "--resync", "2s"];

describe.if(oracleAvailable())("a follower restarted while the leader writes", () => {
  beforeAll(async () => void (await buildOracle()), 20 * LIMIT_MS);

  for (const version of ORACLE_VERSIONS) {
    test(
      `ends with the leader's contents (${version})`,
      async () => {
        await using stage = await ReplicaStage.open(version);
        await using leader = await stage.leader();
        await leader.fill(0, 20_000, 1);
        const dir = stage.path("replica");
        {
          await using first = stage.follower(leader, dir, OPTIONS);
          await first.inState("live", 2);
          const writing = leader.rate(4_000, 2, 2, 30_000);
          expect(await first.stop()).toBe(0);
          await writing;
        }
        await using second = stage.follower(leader, dir, OPTIONS);
        const writing = leader.rate(4_000, 2, 3, 30_000);
        const streams = version !== "0.1.14";
        await second.inState(streams ? "live" : "polling", 2);
        await writing;
        const wanted = await leader.digest();
        // --poll or --resync, the scan, and the time it takes to look.
        expect(await stage.converged(second, dir, wanted, 6_000)).toBeLessThan(6_000);
        expect(await second.stop()).toBe(0);
        expect(await stage.digest(dir)).toEqual(wanted);
      },
      LIMIT_MS,
    );
  }

  test(
    "goes from polling to live when a 0.1.14 leader restarts",
    async () => {
      await using stage = await ReplicaStage.open("0.1.14");
      const leader = await stage.leader();
      await leader.fill(0, 1_000, 1);
      const dir = stage.path("replica");
      {
        await using first = stage.follower(leader, dir, OPTIONS);
        await first.inState("live", 2);
        expect(await first.stop()).toBe(0);
      }
      await using second = stage.follower(leader, dir, OPTIONS);
      await second.inState("polling", 2);
      await leader.close();
      await using restarted = await stage.leader(leader.dir, leader.address);
      await second.inState("live", 2);
      await restarted.fill(500, 1_000, 7);
      const wanted = await restarted.digest();
      // Over the stream: sooner than any scan.
      expect(await stage.converged(second, dir, wanted, 6_000)).toBeLessThan(6_000);
    },
    LIMIT_MS,
  );
});
