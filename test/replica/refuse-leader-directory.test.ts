// The directory of a leader of the real crate, while it runs and at rest: never followed into by mistake; and a real leader of
// another geometry is refused.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { replicateOnce } from "../support/armdb.ts";
import { dataTreeOf } from "../support/bad-leader.ts";
import {
  BUILD_LIMIT_MS,
  expectConverged,
  FOLLOW_LIMIT_MS,
  FollowStage,
  SMALL,
} from "../support/follow-stage.ts";
import { ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";
import { treeOf } from "../support/temp.ts";

describe.if(oracleAvailable())("replicate with a real leader's directory", () => {
  let stage: FollowStage;
  beforeAll(async () => {
    stage = new FollowStage("refuse-leader");
  }, BUILD_LIMIT_MS);
  afterAll(() => stage[Symbol.asyncDispose]());

  for (const version of ORACLE_VERSIONS) {
    test(
      `of ${version}: running, exit 11 and with --adopt too; at rest exit 2, and --adopt follows another leader`,
      async () => {
        const owner = await stage.leader(version);
        await owner.fill(0, 300, 1);
        const other = await stage.leader(version);
        await other.fill(0, 400, 2);
        await other.fill(0, 400, 2);
        const before = dataTreeOf(owner.dir);
        for (const more of [[], ["--adopt"]]) {
          const run = await replicateOnce(other.address, owner.dir, more);
          expect(run.error).toMatchObject({ code: "locked", exit: 11 });
          expect(run.error?.["message"]).toContain(`process ${owner.pid}`);
          expect(run.status).toBe(11);
        }
        expect(dataTreeOf(owner.dir)).toEqual(before);
        await owner.close();

        const rest = treeOf(owner.dir);
        const refused = await replicateOnce(other.address, owner.dir);
        expect(refused.error).toMatchObject({ code: "usage", exit: 2 });
        expect(treeOf(owner.dir)).toEqual(rest);

        await stage.once(other.address, owner.dir, ["--adopt"]);
        await expectConverged(other, owner.dir);
      },
      FOLLOW_LIMIT_MS,
    );

    test(
      `another geometry at ${version}: exit 13, and the replica stays as it was`,
      async () => {
        const small = await stage.leader(version);
        await small.fill(0, 300, 1);
        const dir = stage.fresh("replica");
        await stage.once(small.address, dir);
        const before = dataTreeOf(dir);
        const large = await stage.leader(version, { ...SMALL, value: 64, shards: 2 });
        const run = await replicateOnce(large.address, dir);
        expect(run.error).toMatchObject({ code: "incompatible", exit: 13 });
        expect(run.error?.["message"]).toMatch(/shard count is 3 here and 2 at the leader/);
        expect(run.error?.["message"]).toMatch(/value length is 16 here and 64 at the leader/);
        expect(run.status).toBe(13);
        expect(dataTreeOf(dir)).toEqual(before);
      },
      FOLLOW_LIMIT_MS,
    );
  }
});
