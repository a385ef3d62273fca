// kill -9 of the follower under load, eight times over the same directory: whatever it was doing, the next start goes on from
// what the disk holds and ends with the leader's contents.

import { beforeAll, describe, expect, test } from "bun:test";
import { buildOracle, ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";
import { ReplicaStage } from "../support/replica-stage.ts";

const LIMIT_MS = 90_000;
const CONVERGE_MS = 8_000;
const OPTIONS = ["--poll", "1s", "--resync", "2s"];
const KILLS = 8;

describe.if(oracleAvailable())("a follower killed eight times under load", () => {
  beforeAll(async () => void (await buildOracle()), 20 * 60_000);

  for (const version of ORACLE_VERSIONS) {
    test(
      `converges when it is let (${version})`,
      async () => {
        await using stage = await ReplicaStage.open(version);
        await using leader = await stage.leader();
        await leader.fill(0, 20_000, 1);
        const dir = stage.path("replica");
        let loading = true;
        const load = (async () => {
          for (let seed = 10; loading; seed++) await leader.churn(2_000, seed, 30_000);
        })();
        try {
          for (let kill = 0; kill < KILLS; kill++) {
            await using follower = stage.follower(leader, dir, OPTIONS);
            // Another moment of its life each time: from the first state line on to well after the scan.
            const moments = ["connecting", "scanning", "scanning", "caught-up", "progress", "ready"];
            const moment = moments[kill % moments.length] as string;
            const fits = (type: unknown, state: unknown) => type === moment || state === moment;
            await follower.line(moment, (line) => fits(line["type"], line["state"]));
            await follower.kill();
          }
        } finally {
          loading = false;
          await load;
        }
        await using follower = stage.follower(leader, dir, OPTIONS);
        await follower.ready();
        const wanted = await leader.digest();
        const tookMs = await stage.converged(follower, dir, wanted, CONVERGE_MS);
        expect(tookMs).toBeLessThan(CONVERGE_MS);
        expect(await follower.stop()).toBe(0);
        expect(await stage.digest(dir)).toEqual(wanted);
      },
      LIMIT_MS,
    );
  }
});
