// A leader that is killed and comes back, on its own directory or on an older copy of it. Nothing on the wire tells the second
// case: only the comparison that every scan is. What differs and is not older here is diverged, slot by slot, and kept until
// the operator says otherwise.

import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Armdb } from "../support/armdb.ts";
import { ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";
import { inState, linesOf } from "../support/follower-states.ts";
import { ReplicaStage } from "../support/replica-stage.ts";
import { divergedSlots, type ExpectedDifference } from "../support/slot-diff.ts";

const LIMIT_MS = 150_000;
const CONVERGE_MS = 8_000;
const OPTIONS = ["--poll", "1s", "--resync", "2s"];

describe.if(oracleAvailable())("a leader that is killed and comes back", () => {
  for (const version of ORACLE_VERSIONS) {
    test.concurrent(
      `on the same directory: the replica converges (${version})`,
      async () => {
        await using stage = new ReplicaStage(version);
        const leader = await stage.leader();
        await leader.fill(0, 10_000, 1);
        const dir = stage.path("replica");
        const follower = stage.follower(leader, dir, OPTIONS);
        await inState(follower, "live", 2);
        await leader.churn(20_000, 2, 15_000);
        await leader.kill();
        const restarted = await stage.leader(leader.dir, leader.address);
        await restarted.churn(5_000, 3, 15_000);
        await inState(follower, "live", 2);
        const wanted = await restarted.digest();
        await stage.converged(follower, dir, wanted, CONVERGE_MS);
        expect(linesOf(follower, "diverged")).toEqual([]);
      },
      LIMIT_MS,
    );

    test.concurrent(
      `on an older copy: exactly the slots that differ are diverged, and --accept-leader is the way out (${version})`,
      async () => {
        await using stage = new ReplicaStage(version);
        const first = await stage.leader();
        await first.fill(0, 3_000, 1);
        await first.close();
        const older = await stage.copy(first.dir, "older");
        const leader = await stage.leader(first.dir, first.address);
        const dir = stage.path("replica");
        const follower = stage.follower(leader, dir, OPTIONS);
        await inState(follower, "live", 2);
        await leader.delrange(100, 100);
        await leader.fill(2_800, 500, 2);
        await leader.fill(300, 50, 2);
        await stage.converged(follower, dir, await leader.digest(), CONVERGE_MS);
        const replicaBefore = await stage.copy(dir);
        await leader.kill();

        const restored = await stage.leader(older, leader.address);
        // Written as often as before, with other values: the versions are the same.
        await restored.fill(300, 50, 3);
        const wanted = await restored.digest();
        const expected = await expectedOf(stage, replicaBefore, older);
        expect(expected.flat().length).toBeGreaterThan(400);
        await inState(follower, "diverged", 2);
        // They are listed once they are saved, which is after the state is told.
        for (const shard of [0, 1]) await follower.line({ type: "diverged", shard });
        expect(reportedBy(follower)).toEqual(expected);
        expect((await follower.stop()).status).toBe(0);

        const once = stage.follower(restored, dir, ["--once"]);
        const ended = await once.ended();
        expect(ended.status).toBe(4);
        const slots = expected.flat().length;
        expect(ended.stderr).toContain(
          `"message":"${slots} slots differ from the leader and are kept"`,
        );
        expect(ended.stderr).toContain(`"hint":"armdb compare ${dir} ${restored.address}"`);
        expect(reportedBy(once)).toEqual(expected);
        expect(linesOf(once, "summary")).toMatchObject([{ verdict: "diverged" }]);

        const accepting = stage.follower(restored, dir, ["--once", "--accept-leader"]);
        expect((await accepting.ended()).status).toBe(0);
        expect(await stage.digest(dir)).toEqual(wanted);
        for (const [shard, differences] of expected.entries()) {
          expect(await savedSlots(dir, shard)).toEqual(differences.map(({ slot }) => slot));
        }
      },
      LIMIT_MS,
    );
  }
});

/** Per shard, what must differ. */
async function expectedOf(
  stage: ReplicaStage,
  replica: string,
  leader: string,
): Promise<ExpectedDifference[][]> {
  const shards: ExpectedDifference[][] = [];
  for (let shard = 0; shard < stage.shape.shards; shard++) {
    const here = await readFile(stage.shardFile(replica, shard));
    const there = await readFile(stage.shardFile(leader, shard));
    shards.push(divergedSlots(here, there, stage.shape, stage.version !== "0.1.14"));
  }
  return shards;
}

/** Per shard, the last list of diverged slots that the follower gave, in order of the slots. */
function reportedBy(follower: Armdb): ExpectedDifference[][] {
  const shards: ExpectedDifference[][] = [];
  for (const line of linesOf(follower, "diverged")) {
    const slots = line["slots"] as ExpectedDifference[];
    expect(slots.length).toBe(line["total"] as number);
    shards[line["shard"] as number] = slots
      .map(({ slot, kind }) => ({ slot, kind }))
      .sort((a, b) => a.slot - b.slot);
  }
  return shards;
}

/** Slots saved in the shard's reset log, ascending. */
async function savedSlots(dir: string, shard: number): Promise<number[]> {
  const text = await readFile(join(dir, `armdb-reset-${shard}.log`), "utf8");
  const lines = text.trimEnd().split("\n");
  return lines.map((line) => (JSON.parse(line) as { slot: number }).slot).sort((a, b) => a - b);
}
