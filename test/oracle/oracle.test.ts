// The oracle itself: what the other tests take for granted of it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ORACLE_SIZES,
  ORACLE_VERSIONS,
  OracleFollower,
  OracleLeader,
  type OracleVersion,
  digestOf,
  oracleAvailable,
  oracleDigest,
  oracleDump,
  oracleOnce,
  oracleWrapVersion,
} from "../support/oracle.ts";

const BUILD_LIMIT_MS = 20 * 60_000;
const LIMIT_MS = 60_000;
const shape = { shards: 3, prefixBits: 12, key: 8, value: 16, growStep: 1000 };

describe.if(oracleAvailable())("oracle", () => {
  let root = "";

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "armdb-oracle-"));
  }, BUILD_LIMIT_MS);

  afterAll(async () => {
    await rm(root, { recursive: true, force: true });
  });

  const freshDir = () => mkdtemp(join(root, "db-"));

  const startLeader = async (version: OracleVersion) =>
    OracleLeader.start({ ...shape, version, dir: await freshDir() });

  for (const version of ORACLE_VERSIONS) {
    test(
      `the crate's follower ${version} converges with its leader`,
      async () => {
        await using leader = await startLeader(version);
        await leader.fill(0, 2000, 1);
        await leader.delrange(100, 50);
        await using follower = await OracleFollower.start({
          ...shape,
          version,
          dir: await freshDir(),
          leader: leader.address,
        });
        const scanned = await leader.digest();
        expect(await follower.waitdigest(scanned.digest, 20_000, scanned.count)).toEqual(scanned);

        await leader.churn(3000, 2, 2500);
        await leader.rate(2000, 0.2, 3, 2500);
        const live = await leader.digest();
        expect(live.digest).not.toBe(scanned.digest);
        expect(await follower.waitdigest(live.digest, 20_000, live.count)).toEqual(live);
        // More when the crate's follower lost a connection by itself, which it does now and then.
        expect((await follower.status()).caughtUp).toBeGreaterThanOrEqual(shape.shards);

        await follower.close();
        expect(await oracleDigest(follower.dir, shape, version)).toEqual(live);
        await leader.close();
      },
      LIMIT_MS,
    );
  }

  test(
    "the same contents have the same digest in all versions",
    async () => {
      for (const size of ORACLE_SIZES) {
        const sized = { ...shape, ...size };
        const digests = [];
        let dir = "";
        for (const version of ORACLE_VERSIONS) {
          dir = await freshDir();
          await using leader = await OracleLeader.start({ ...sized, version, dir });
          await leader.fill(0, 300, 9);
          await leader.churn(500, 4, 400);
          digests.push(await leader.digest());
          await leader.close();
        }
        const [first] = digests;
        expect(digests).toEqual(ORACLE_VERSIONS.map(() => first!));
        for (const version of ORACLE_VERSIONS) {
          expect(await oracleDigest(dir, sized, version)).toEqual(first!);
        }

        const path = join(dir, "contents.txt");
        expect(await oracleDump(dir, sized, "0.15.0", path)).toBe(first!.count);
        expect(digestOf(await readDump(path))).toEqual(first!);
      }
    },
    LIMIT_MS,
  );

  test(
    "put, get and del answer what was there",
    async () => {
      await using leader = await startLeader("0.1.14");
      const [key, value] = ["00".repeat(8), "ab".repeat(16)];
      expect(await leader.get(key)).toBeNull();
      expect(await leader.put(key, value)).toBe(false);
      expect(await leader.put(key, value)).toBe(true);
      expect(await leader.get(key)).toBe(value);
      expect(await leader.del(key)).toBe(true);
      expect(await leader.count()).toBe(0);
      await expect(leader.put("00", value)).rejects.toThrow("expected 16 hex digits");
    },
    LIMIT_MS,
  );

  test(
    "an aborted leader leaves contents that a reader may leave dirty too",
    async () => {
      const leader = await startLeader("0.1.14");
      await leader.fill(0, 500, 5);
      const before = await leader.digest();
      await leader.abort();
      const flagOf = async () => (await readFile(join(leader.dir, "shard_000", "fixed.data")))[17];
      expect(await flagOf()).toBe(0);
      expect(await oracleDigest(leader.dir, shape, "0.1.14", { keepDirty: true })).toEqual(before);
      expect(await flagOf()).toBe(0);
      expect(await oracleDigest(leader.dir, shape, "0.1.14")).toEqual(before);
      expect(await flagOf()).toBe(1);
    },
    LIMIT_MS,
  );

  test(
    "wrapped versions keep the contents and their crcs",
    async () => {
      const leader = await startLeader("0.1.14");
      await leader.fill(0, 500, 5);
      const before = await leader.digest();
      await leader.close();
      expect(await oracleWrapVersion(leader.dir, { all: true }, 2 ** 30 - 1)).toBe(500);
      expect(await oracleWrapVersion(leader.dir, { shard: 1, slot: 0 }, 2 ** 29)).toBe(1);
      expect(await oracleDigest(leader.dir, shape, "0.1.14")).toEqual(before);
      const file = join(leader.dir, "shard_001", "fixed.data");
      const bytes = await readFile(file);
      expect(bytes.readUInt32LE(4096) >>> 2).toBe(2 ** 29);
      const verified = await oracleOnce("0.1.14", ["bench-verify", file]);
      expect(verified["badCrc"]).toBe(0);
    },
    LIMIT_MS,
  );

  test(
    "the benchmarks' followers take all that there is",
    async () => {
      for (const version of ORACLE_VERSIONS) {
        await using leader = await startLeader(version);
        await leader.fill(0, 20_000, 5);
        const target = ["--leader", leader.address, "--shards", String(shape.shards)];
        const drained = await oracleOnce(version, ["nullfollower", ...target, "--window", "8"]);
        expect(drained["slots"]).toBe(20_000);
        // The crate frees a shard for the next follower only some moments later.
        const bench = ["bench-follower", ...target, "--dir", await freshDir()];
        bench.push("--prefix-bits", "12", "--key", "8", "--value", "16");
        const followed = await oracleOnce(version, bench);
        expect(followed["count"]).toBe(20_000);
        expect(followed["peakRssKib"]).toBeGreaterThan(0);
      }
    },
    LIMIT_MS,
  );

  test(
    "a program that cannot start says why",
    async () => {
      const leader = await startLeader("0.15.0");
      await leader.kill();
      const other = { ...shape, shards: 2 };
      await expect(oracleDigest(leader.dir, other, "0.15.0")).rejects.toThrow(
        "shard_count mismatch",
      );
      await expect(leader.digest()).rejects.toThrow("instead of an answer");
    },
    LIMIT_MS,
  );
});

async function readDump(path: string): Promise<[Uint8Array, Uint8Array][]> {
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  return lines.map((line) => {
    const [key = "", value = ""] = line.split(" ");
    return [Buffer.from(key, "hex"), Buffer.from(value, "hex")];
  });
}
