// 80,000 writes behind a scan of 500,000 slots: ten times what a leader's ring holds. A crate follower of generation 1
// stays different for as long as one watches it; ours has to mend what the stream did not bring.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ORACLE_VERSIONS, oracleAvailable, OracleLeader } from "../support/oracle.ts";
import { inState, linesOf } from "../support/follower-states.ts";
import { ReplicaStage } from "../support/replica-stage.ts";

const LIMIT_MS = 150_000;
const CONVERGE_MS = 20_000;
const RECORDS = 500_000;
const shape = { shards: 1, prefixBits: 0, key: 8, value: 16, growStep: RECORDS + 1_000 };

describe.if(oracleAvailable())("a scan that is overtaken by writes", () => {
  let made: ReplicaStage;
  let full = "";

  // All versions write the same bytes, so one filling serves them all.
  beforeAll(async () => {
    made = new ReplicaStage("0.1.14", shape);
    full = made.path("full");
    const leader = await OracleLeader.start({ ...shape, version: "0.1.14", dir: full });
    await leader.fill(0, RECORDS, 1);
    await leader.close();
  }, 20 * 60_000);

  afterAll(() => made?.[Symbol.asyncDispose]());

  for (const version of ORACLE_VERSIONS) {
    test(
      `ends with the leader's contents (${version})`,
      async () => {
        await using stage = new ReplicaStage(version, shape);
        const leader = await stage.leader(await made.copy(full));
        const dir = stage.path("replica");
        const args = ["--resync", "5s", "--limit-rate", "20MB"];
        const follower = stage.follower(leader, dir, args);
        await inState(follower, "scanning", 1);
        // A follower that stands still: all that is written meanwhile is written behind its scan.
        follower.signal("SIGSTOP");
        // In less than the 10 s that a leader waits for an ack, on a busy machine too.
        await leader.churn(80_000, 2, RECORDS);
        expect(linesOf(follower, "caught-up")).toEqual([]);
        follower.signal("SIGCONT");
        const wanted = await leader.digest();
        await follower.ready();
        await stage.converged(follower, dir, wanted, CONVERGE_MS);
        if (version === "0.1.14") {
          await follower.line((line) => Number(line["healed"]) > 0);
        }
        expect((await follower.stop()).status).toBe(0);
        expect(await stage.digest(dir)).toEqual(wanted);
      },
      LIMIT_MS,
    );
  }
});
