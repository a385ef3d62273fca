// kill -9 of the follower under load, eight times over the same directory: whatever it was doing, the next start goes on from
// what the disk holds and ends with the leader's contents.

import { describe, expect, test } from "bun:test";
import type { LineMatch } from "../support/armdb.ts";
import { ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";
import { ReplicaStage } from "../support/replica-stage.ts";

const LIMIT_MS = 150_000;
const CONVERGE_MS = 8_000;
const OPTIONS = ["--poll", "1s", "--resync", "2s"];
const KILLS = 8;
const MOMENTS: readonly LineMatch[] = [
  { type: "shard", state: "scanning" },
  ({ type, state }) => type === "shard" && (state === "live" || state === "polling"),
  { type: "caught-up" },
  { type: "ready" },
];

describe.if(oracleAvailable())("a follower killed eight times under load", () => {
  for (const version of ORACLE_VERSIONS) {
    test(
      `converges when it is let (${version})`,
      async () => {
        await using stage = new ReplicaStage(version);
        const leader = await stage.leader();
        await leader.fill(0, 20_000, 1);
        const dir = stage.path("replica");
        let loading = true;
        const load = (async () => {
          // Some 10,000 a second: a scan that is overtaken by a whole ring again and again would never be ready.
          for (let seed = 10; loading; seed++) {
            await leader.churn(500, seed, 30_000);
            await Bun.sleep(50);
          }
        })();
        try {
          for (let kill = 0; kill < KILLS; kill++) {
            const follower = stage.follower(leader, dir, OPTIONS);
            // Another moment of its life each time.
            const moment = MOMENTS[kill % MOMENTS.length] as LineMatch;
            await follower.line(moment);
            await follower.kill();
          }
        } finally {
          loading = false;
          await load;
        }
        const follower = stage.follower(leader, dir, OPTIONS);
        await follower.ready();
        const wanted = await leader.digest();
        await stage.converged(follower, dir, wanted, CONVERGE_MS);
        expect((await follower.stop()).status).toBe(0);
        expect(await stage.digest(dir)).toEqual(wanted);
      },
      LIMIT_MS,
    );
  }
});
