// A handful of slots that the leader rewrites without a pause while scans run beside the stream. The scan reads a slot before
// the stream brings its next version, or after: neither is a difference, and no such slot may ever be called diverged.

import { beforeAll, describe, expect, test } from "bun:test";
import { buildOracle, oracleAvailable } from "../support/oracle.ts";
import { inState, linesOf } from "../support/follower-states.ts";
import { ReplicaStage, TWO_SHARDS } from "../support/replica-stage.ts";

const LIMIT_MS = 60_000;
const CONVERGE_MS = 8_000;
const SCANS = 12;

describe.if(oracleAvailable())("slots that are rewritten all the time", () => {
  beforeAll(async () => void (await buildOracle(["0.1.14"])), 20 * 60_000);

  test(
    "are never taken for diverged by the scans beside the stream (0.1.14)",
    async () => {
      await using stage = new ReplicaStage("0.1.14", { ...TWO_SHARDS, shards: 1 });
      const leader = await stage.leader();
      await leader.fill(0, 20, 1);
      const dir = stage.path("replica");
      const follower = stage.follower(leader, dir, ["--resync", "300ms"]);
      await inState(follower, "live", 1);
      let loading = true;
      const load = (async () => {
        for (let seed = 10; loading; seed++) await leader.churn(5_000, seed, 20);
      })();
      try {
        for (let scan = 0; scan < SCANS; scan++) {
          await follower.line({ type: "caught-up" }, follower.mark);
        }
      } finally {
        loading = false;
        await load;
      }
      expect(linesOf(follower, "diverged")).toEqual([]);
      expect(follower.stderr).not.toContain("slots differ");
      const wanted = await leader.digest();
      await stage.converged(follower, dir, wanted, CONVERGE_MS);
    },
    LIMIT_MS,
  );
});
