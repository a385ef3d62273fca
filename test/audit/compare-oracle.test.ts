// armdb compare with leaders of the real crate: writes in flight are no difference, a real difference is one, and a leader
// that serves another follower says so.

import { describe, expect, test } from "bun:test";
import { compareCommand } from "../../src/cli/commands/compare.ts";
import { slotLayout, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import {
  oracleAvailable,
  OracleFollower,
  OracleLeader,
  type OracleVersion,
} from "../support/oracle.ts";
import { contentsOf, DatabaseFiles, runWords, TempDirectory } from "./repair-support.ts";

const SHAPE = { shards: 2, prefixBits: 0, key: 8, value: 16, growStep: 1024 };
const LAYOUT = slotLayout(8, 16);
const LIMIT_MS = 120_000;

describe.if(oracleAvailable())("compare with the real crate", () => {
  const start = (version: OracleVersion, root: string) =>
    OracleLeader.start({ ...SHAPE, version, dir: `${root}/leader` });
  const follow = (version: OracleVersion, root: string, leader: OracleLeader) =>
    OracleFollower.start({ ...SHAPE, version, dir: `${root}/replica`, leader: leader.address });

  test(
    "writes in flight between a leader 0.1.14 and its follower are no difference",
    async () => {
      using root = new TempDirectory();
      await using leader = await start("0.1.14", root.path);
      await leader.fill(0, 3000, 1);
      const digest = await leader.digest();
      await using follower = await follow("0.1.14", root.path, leader);
      expect(await follower.waitdigest(digest.digest, 20_000, digest.count)).toEqual(digest);
      const writes = leader.rate(2000, 4, 5, 40);
      const words = [`${root.path}/replica`, leader.address, "--yes", "--json"];
      const { status, document } = await runWords(compareCommand, [
        ...words,
        "--rounds",
        "8",
        "--wait",
        "100ms",
      ]);
      await writes;
      expect([status, document["differences"]]).toEqual([0, []]);
    },
    LIMIT_MS,
  );

  for (const version of ["0.1.14", "0.6.1", "0.15.0"] as const) {
    test(
      `a record that differs from a leader ${version} is told, and nothing is written`,
      async () => {
        using root = new TempDirectory();
        await using leader = await start(version, root.path);
        await leader.fill(0, 500, 1);
        await leader.delrange(100, 50);
        const digest = await leader.digest();
        const follower = await follow(version, root.path, leader);
        expect(await follower.waitdigest(digest.digest, 20_000, digest.count)).toEqual(digest);
        await follower.close();
        const replica = new DatabaseFiles(`${root.path}/replica`, LAYOUT);
        const words = [replica.path, leader.address, "--yes", "--json", "--wait", "0"];
        expect((await runWords(compareCommand, words)).status).toBe(0);
        const slot = replica.slotsOf(1, STATUS_OCCUPIED)[7] ?? 0;
        replica.rewrite(1, slot, 900, 3);
        const before = contentsOf(replica.path);
        const { status, document } = await runWords(compareCommand, words);
        expect(status).toBe(4);
        expect(document["differences"]).toMatchObject([{ shard: 1, slot, kind: "newer" }]);
        expect(contentsOf(replica.path)).toEqual(before);
      },
      LIMIT_MS,
    );
  }

  test(
    "a leader 0.15.0 that serves another follower is exit 5 with its reason",
    async () => {
      using root = new TempDirectory();
      await using leader = await start("0.15.0", root.path);
      await leader.fill(0, 100, 1);
      const digest = await leader.digest();
      await using follower = await follow("0.15.0", root.path, leader);
      await follower.waitdigest(digest.digest, 20_000, digest.count);
      const words = [`${root.path}/replica`, leader.address, "--json"];
      const { status, document } = await runWords(compareCommand, words);
      expect(status).toBe(5);
      expect(JSON.stringify(document["shards"])).toContain("shard already streaming");
      const live = await leader.put("00".repeat(8), "cd".repeat(16));
      expect(live).toBeBoolean();
      const wanted = await leader.digest();
      expect(await follower.waitdigest(wanted.digest, 20_000, wanted.count)).toEqual(wanted);
    },
    LIMIT_MS,
  );
});
