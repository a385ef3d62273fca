// What cannot get better by itself, while a follower runs: a leader that comes back with another geometry ends it with 13 and both
// sides named; a failed fdatasync ends its shard with 15 and is never tried again, a full disk with 14; the other shard goes on,
// and the next start heals.

import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { inState, linesOf } from "../support/follower-states.ts";
import { ORACLE_VERSIONS, oracleAvailable, OracleLeader } from "../support/oracle.ts";
import { shardsOf } from "../support/replica-contents.ts";
import { ReplicaStage, TWO_SHARDS } from "../support/replica-stage.ts";
import { has, need } from "../support/needs.ts";

const LIMIT_MS = 150_000;
const CONVERGE_MS = 10_000;

const traceable =
  has("strace") &&
  need(
    "right to trace",
    Bun.spawnSync(["strace", "-f", "-P", "/", "-e", "trace=fdatasync", "true"]).exitCode === 0,
  );

describe.if(oracleAvailable())("a leader that comes back with another geometry", () => {
  for (const version of ORACLE_VERSIONS) {
    test.concurrent(
      `is waited out by a follower that has followed it, and ends the next start with 13 (${version})`,
      async () => {
        await using stage = new ReplicaStage(version);
        const leader = await stage.leader();
        await leader.fill(0, 500, 1);
        const wanted = await leader.digest();
        const dir = stage.path("replica");
        const follower = stage.follower(leader, dir, [], { limitMs: 60_000 });
        await follower.ready();
        await leader.kill();
        const other = { ...TWO_SHARDS, key: 16, value: 100, shards: 3 };
        await using changed = await OracleLeader.start({
          ...other,
          version,
          dir: stage.path("other"),
          listen: leader.address,
        });
        await changed.fill(0, 10, 1);
        const both = "shard count is 2 here and 3 at the leader";
        await follower.line(
          ({ type, state, detail }) =>
            type === "shard" && state === "waiting" && String(detail).includes(both),
        );
        expect((await follower.stop()).status).toBe(0);
        const { status, error } = await stage.follower(leader, dir).ended();
        expect(status).toBe(13);
        expect(error).toMatchObject({ code: "incompatible", exit: 13 });
        const message = String(error?.["message"]);
        expect(message).toContain("shard count is 2 here and 3 at the leader");
        expect(message).toContain("key length is 8 here and 16 at the leader");
        expect(message).toContain("value length is 16 here and 100 at the leader");
        expect(await stage.digest(dir)).toEqual(wanted);
      },
      LIMIT_MS,
    );
  }
});

describe.if(oracleAvailable() && traceable)("a disk that fails under a live stream", () => {
  for (const [errno, call, status, code] of [
    ["EIO", "fdatasync", 15, "storage"],
    ["ENOSPC", "pwrite64", 14, "no-space"],
    ["EIO", "pwrite64", 15, "storage"],
    ["EROFS", "pwrite64", 15, "storage"],
  ] as const) {
    test.concurrent(
      `${errno} on ${call}: the shard ends with ${status} and tries nothing again, the other goes on`,
      async () => {
        await using stage = new ReplicaStage("0.15.0");
        const leader = await stage.leader();
        await leader.fill(0, 2_000, 1);
        const dir = stage.path("replica");
        const first = stage.follower(leader, dir, ["--once"]);
        expect((await first.ended()).status).toBe(0);

        const log = stage.path("strace");
        // The third call of the thread that makes it: past the clearing of the clean flag.
        const launcher = [
          "strace",
          "-D",
          "-f",
          "-qq",
          "-o",
          log,
          "-P",
          stage.shardFile(dir, 0),
        ].concat([
          "-e",
          "trace=fdatasync,fsync,pwrite64",
          "-e",
          `inject=${call}:error=${errno}:when=3`,
        ]);
        const follower = stage.follower(leader, dir, [], { launcher });
        await inState(follower, "live", 2);
        for (let seed = 2; linesOf(follower, "error").length === 0; seed++) {
          await leader.fill(0, 2_000, seed);
          await Bun.sleep(500);
        }
        expect(linesOf(follower, "error")).toMatchObject([{ shard: 0, code }]);
        expect(String(linesOf(follower, "error")[0]?.["message"])).toContain(errno);
        await inState(follower, "failed", 1);
        await leader.fill(0, 2_000, 99);
        const wantedOfShard1 = shardsOf(leader.dir)[1]?.usedWords;
        while (!Bun.deepEquals(shardsOf(dir)[1]?.usedWords, wantedOfShard1)) {
          await Bun.sleep(50);
        }
        expect((await follower.stop()).status).toBe(status);
        const calls = (await readFile(log, "utf8")).trimEnd().split("\n");
        const failed = calls.findIndex((line) => line.includes("(INJECTED)"));
        expect(calls[failed]).toContain(errno);
        const after = calls.slice(failed + 1);
        const again = (name: RegExp) => after.filter((line) => name.test(line));
        // What the other thread was asked for before the failure may still come: a write, or one sync.
        const own = call === "fdatasync" ? /sync\(/ : /pwrite64\(/;
        expect(again(own)).toEqual([]);
        expect(again(/sync\(/).length).toBeLessThanOrEqual(call === "fdatasync" ? 0 : 1);

        const next = stage.follower(leader, dir);
        await next.ready();
        await stage.converged(next, dir, await leader.digest(), CONVERGE_MS);
        expect((await next.stop()).status).toBe(0);
      },
      LIMIT_MS,
    );
  }
});
