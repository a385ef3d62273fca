// Sound directories of many shapes, made by three versions of the crate: leaders running, killed and closed, followers killed
// in the middle of a catch-up, killed after it and closed. verify must not find damage in any of them: a false alarm
// would teach people not to listen.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ORACLE_SIZES,
  ORACLE_VERSIONS,
  oracleAvailable,
  OracleFollower,
  OracleLeader,
} from "../support/oracle.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { verify } from "./sample-databases.ts";

const BUILD_LIMIT_MS = 20 * 60_000;
const CASE_LIMIT_MS = 60_000;
/** Six directories a case: 204 in all. */
const CASES = 34;
const SHARDS = [1, 2, 3, 5, 8] as const;
const PREFIX_BITS = [0, 0, 7, 12] as const;
/** The 20,000-byte values would take most of the time and show nothing more. */
const SIZES = ORACLE_SIZES.filter(({ value }) => value <= 1000);

function pick<T>(list: readonly T[], index: number): T {
  return list[index % list.length] as T;
}

describe.if(oracleAvailable())("verify finds no damage in what the crate wrote", () => {
  let root = "";

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "armdb-healthy-"));
  }, BUILD_LIMIT_MS);

  afterAll(async () => {
    await rm(root, { recursive: true, force: true });
  });

  for (let index = 0; index < CASES; index++) {
    const version = pick(ORACLE_VERSIONS, index);
    const { key, value } = pick(SIZES, index);
    const shards = pick(SHARDS, index);
    const prefixBits = pick(PREFIX_BITS, index + (index >> 2));
    const shape = { shards, prefixBits, key, value, growStep: 64 + 61 * index };
    const name = `${version}, ${key}x${value}, ${shards} shards, ${prefixBits} prefix bits`;

    test(
      `${index}: ${name}`,
      async () => {
        const home = await mkdtemp(join(root, "case-"));
        const expectSound = async (state: string, path: string) => {
          const report = await verify(path, { disk: realDisk });
          const alarms = report.findings.filter(({ severity }) => severity !== "note");
          expect({ state, alarms }).toEqual({ state, alarms: [] });
          for (const shard of report.shards) {
            const { slots, occupied, deleted, free, damaged, unread } = shard;
            expect([occupied + deleted + free, damaged, unread]).toEqual([slots, 0, 0]);
          }
          return report;
        };

        await using leader = await OracleLeader.start({
          ...shape,
          version,
          dir: join(home, "leader"),
        });
        await leader.fill(0, 150 + 20 * index, index);
        await leader.churn(400, index, 200 + 20 * index);
        await leader.delrange(20, 15);

        // Writes go on while it is read.
        const writing = leader.rate(2000, 0.15, index, 150);
        const live = await expectSound("leader running", leader.dir);
        await writing;
        expect(live.live).toBe(true);
        cpSync(leader.dir, join(home, "killed"), { recursive: true });
        await expectSound("leader killed", join(home, "killed"));

        const followerDir = join(home, "follower");
        const start = () =>
          OracleFollower.start({ ...shape, version, dir: followerDir, leader: leader.address });
        {
          await using follower = await start();
          await follower.count();
          await follower.kill();
        }
        // Killed before it made a directory: then there is nothing to look at.
        if (existsSync(join(followerDir, "db.meta")))
          await expectSound("follower in mid catch-up", followerDir);
        await using follower = await start();
        const digest = await leader.digest();
        expect(await follower.waitdigest(digest.digest, 30_000, digest.count)).toEqual(digest);
        cpSync(followerDir, join(home, "follower-killed"), { recursive: true });
        await expectSound("follower killed", join(home, "follower-killed"));
        await follower.close();
        await expectSound("follower closed", followerDir);
        await leader.close();
        await expectSound("leader closed", leader.dir);
        await rm(home, { recursive: true });
      },
      CASE_LIMIT_MS,
    );
  }
});
