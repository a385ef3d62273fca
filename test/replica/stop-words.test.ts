// What a stop says and leaves behind: that every shard is closed only where it is, that the copy is not complete where it is not;
// and temporary files of a stop that was cut short are gone after the next start.

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
    "names the shards that an earlier run left open, and no more once they are closed clean",
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
        "Stopped. Every shard is closed.",
      ]);
      expectClosedClean(dir);

      // Clean as found, and nothing came: that is good order too.
      const again = await stoppedAfter("127.0.0.1:1", dir, "no connection");
      expect(again.stderr).toContain("Stopped. Every shard is closed.");
    },
    LIMIT_MS,
  );

  test.concurrent(
    "before the copy was complete says so, and that the same command goes on; so does one of --once, exit 130",
    async () => {
      await using stage = new ReplicaStage("0.15.0");
      const leader = await stage.leader();
      await leader.fill(0, 20_000, 1);
      const dir = stage.path("replica");
      const slowly = ["--limit-rate", "50KB", "--window", "0"];
      const words = "Stopped before the copy was complete; the same command goes on";
      for (const [more, status] of [
        [[], 0],
        [["--once"], 130],
      ] as const) {
        await using follower = Armdb.start([
          "replicate",
          leader.address,
          "--data",
          dir,
          ...slowly,
          ...more,
          "-v",
        ]);
        await eventually(
          () => follower.stderr,
          (text) => /shard 0: scanning/.test(text),
        );
        const run = await follower.stop("SIGINT");
        expect([run.status, run.stderr.trimEnd().split("\n").at(-1)]).toEqual([status, words]);
      }
      const whole = await Armdb.start([
        "replicate",
        leader.address,
        "--data",
        dir,
        "--once",
      ]).ended();
      expect(whole.status).toBe(0);

      // No leader was reached, so nothing is made yet.
      const nowhere = await stoppedAfter("127.0.0.1:1", stage.path("nothing"), "no connection");
      expect(nowhere.stderr.trimEnd()).toEndWith(words);
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
