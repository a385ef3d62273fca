// What a stop says and leaves behind: in good order only where every shard is closed clean, and temporary files of a stop that was
// cut short are gone after the next start.

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Armdb, type ArmdbRun } from "../support/armdb.ts";
import { eventually, expectClosedClean } from "../support/follow-stage.ts";
import { oracleAvailable } from "../support/oracle.ts";
import { ReplicaStage } from "../support/replica-stage.ts";
import { shardsOf } from "../support/replica-contents.ts";
import { treeOf } from "../support/temp.ts";

const LIMIT_MS = 60_000;

/** `armdb replicate` for people, stopped once it has said this. */
async function stoppedAfter(leader: string, dir: string, said: string): Promise<ArmdbRun> {
  await using follower = Armdb.start(["replicate", leader, "--data", dir]);
  await eventually(
    () => follower.stderr,
    (text) => text.includes(said),
  );
  return await follower.stop("SIGINT");
}

describe.if(oracleAvailable())("a stop", () => {
  test.concurrent(
    "names the shards that an earlier run left open, and is in good order once they are closed clean",
    async () => {
      await using stage = new ReplicaStage("0.15.0");
      const leader = await stage.leader();
      await leader.fill(0, 500, 1);
      const dir = stage.path("replica");
      const killed = stage.follower(leader, dir);
      await killed.ready();
      await killed.kill();
      const flags = () => shardsOf(dir).map(({ header }) => header.cleanShutdown);
      expect(flags()).toEqual([0, 0]);
      const before = [0, 1].map((shard) => treeOf(stage.shardFile(dir, shard)));

      await leader.kill();
      const away = await stoppedAfter(leader.address, dir, "no connection");
      expect(away.status).toBe(0);
      expect(away.stderr.trimEnd()).toEndWith(
        "Stopped; not closed clean: shards 0, 1 (as an earlier run left it: nothing came from the leader)",
      );
      expect([0, 1].map((shard) => treeOf(stage.shardFile(dir, shard)))).toEqual(before);

      await stage.leader(leader.dir, leader.address);
      const good = await stoppedAfter(leader.address, dir, "is durable; following");
      expect([good.status, good.stderr.trimEnd().split("\n").at(-1)]).toEqual([
        0,
        "Stopped in good order",
      ]);
      expectClosedClean(dir);

      // Clean as found, and nothing came: that is good order too.
      const again = await stoppedAfter("127.0.0.1:1", dir, "no connection");
      expect(again.stderr).toContain("Stopped in good order");
    },
    LIMIT_MS,
  );

  test.concurrent(
    "that was cut short leaves temporary files, which the next start removes",
    async () => {
      await using stage = new ReplicaStage("0.15.0");
      const leader = await stage.leader();
      const dir = stage.path("replica");
      expect((await stage.follower(leader, dir, ["--once"]).ended()).status).toBe(0);
      const temps = [
        "armdb.state.json.tmp",
        "shard_000/fixed.versions.tmp",
        "shard_001/fixed_repl.cursor.tmp",
      ];
      for (const name of temps) writeFileSync(join(dir, name), "half of");
      writeFileSync(join(dir, "shard_001/other.tmp"), "not ours");
      await stoppedAfter("127.0.0.1:1", dir, "no connection");
      expect(temps.filter((name) => existsSync(join(dir, name)))).toEqual([]);
      expect(readFileSync(join(dir, "shard_001/other.tmp"), "utf8")).toBe("not ours");
    },
    LIMIT_MS,
  );
});
