// The crate's own followers, in three versions, on our leader: they converge, whatever lies in the directory.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SampleStore } from "../../scripts/sample/sample-store.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import {
  ORACLE_VERSIONS,
  oracleAvailable,
  oracleDigest,
  OracleFollower,
  type OracleGeometry,
  OracleLeader,
  type OracleVersion,
} from "../support/oracle.ts";
import { Model, Serving, tearSlots } from "./crate-support.ts";

const BUILD_LIMIT_MS = 20 * 60_000;
const LIMIT_MS = 90_000;
const CONVERGE_MS = 30_000;

const SHAPES: readonly OracleGeometry[] = [
  { shards: 2, prefixBits: 0, key: 8, value: 16, growStep: 1000 },
  { shards: 3, prefixBits: 0, key: 4, value: 3, growStep: 500 },
  { shards: 4, prefixBits: 12, key: 16, value: 100, growStep: 777 },
  { shards: 1, prefixBits: 0, key: 32, value: 1000, growStep: 300 },
  { shards: 1, prefixBits: 0, key: 8, value: 20_000, growStep: 100 },
];
const SMALL: OracleGeometry = { shards: 2, prefixBits: 0, key: 8, value: 16, growStep: 1000 };

const nameOf = ({ shards, prefixBits, key, value }: OracleGeometry) =>
  `${key}x${value}, ${shards} shards, ${prefixBits} prefix bits`;

const available = oracleAvailable();
if (!available) console.log("skipped: the crate's followers need cargo on the PATH");

describe.if(available)("a crate follower", () => {
  let root = "";

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), "armdb-serve-"));
  }, BUILD_LIMIT_MS);
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const freshDir = () => mkdtempSync(join(root, "db-"));

  /** A directory that the real leader wrote: puts, deletes, reused slots, growth. */
  async function leaderDirectory(shape: OracleGeometry, ops = 3000): Promise<string> {
    const dir = freshDir();
    await using leader = await OracleLeader.start({ ...shape, version: "0.1.14", dir });
    const keys = Math.min(ops, shape.value > 5000 ? 250 : ops);
    await leader.fill(0, keys, 1);
    await leader.delrange(Math.floor(keys / 10), Math.floor(keys / 10));
    await leader.churn(keys, 2, Math.floor(keys * 1.2));
    await leader.close();
    return dir;
  }

  const start = (version: OracleVersion, shape: OracleGeometry, leader: string, dir = freshDir()) =>
    OracleFollower.start({ ...shape, version, dir, leader });

  for (const version of ORACLE_VERSIONS) {
    describe(version, () => {
      for (const shape of SHAPES) {
        test.concurrent(
          `starts empty and converges: ${nameOf(shape)}`,
          async () => {
            const dir = await leaderDirectory(shape);
            const wanted = await oracleDigest(dir, shape, "0.1.14");
            await using serving = Serving.at(dir);
            await using follower = await start(version, shape, serving.address);
            expect(await follower.waitdigest(wanted.digest, CONVERGE_MS, wanted.count)).toEqual(
              wanted,
            );
            await follower.close();
            expect(await oracleDigest(follower.dir, shape, version)).toEqual(wanted);
          },
          LIMIT_MS,
        );
      }

      test.concurrent(
        "with older contents converges, deletes and reused slots included",
        async () => {
          const dir = await leaderDirectory(SMALL);
          const followerDir = freshDir();
          const before = await oracleDigest(dir, SMALL, "0.1.14");
          {
            await using serving = Serving.at(dir);
            await using follower = await start(version, SMALL, serving.address, followerDir);
            expect(await follower.waitdigest(before.digest, CONVERGE_MS, before.count)).toEqual(
              before,
            );
            await follower.close();
          }
          await using leader = await OracleLeader.start({ ...SMALL, version: "0.1.14", dir });
          await leader.delrange(0, 1500);
          await leader.fill(10_000, 4000, 7);
          await leader.churn(3000, 8, 14_000);
          await leader.close();
          const wanted = await oracleDigest(dir, SMALL, "0.1.14");
          expect(wanted.digest).not.toBe(before.digest);
          await using serving = Serving.at(dir);
          await using follower = await start(version, SMALL, serving.address, followerDir);
          expect(await follower.waitdigest(wanted.digest, CONVERGE_MS, wanted.count)).toEqual(
            wanted,
          );
          await follower.close();
          expect(await oracleDigest(followerDir, SMALL, version)).toEqual(wanted);
        },
        LIMIT_MS,
      );

      test.concurrent(
        "starts empty and gets a directory with torn slots without them",
        async () => {
          const dir = await leaderDirectory(SMALL);
          const torn = tearSlots(dir, 5);
          expect(torn).toBe(5);
          const copy = join(freshDir(), "copy");
          cpSync(dir, copy, { recursive: true });
          const wanted = await oracleDigest(copy, SMALL, version);
          await using serving = Serving.at(dir);
          await using follower = await start(version, SMALL, serving.address);
          expect(await follower.waitdigest(wanted.digest, CONVERGE_MS, wanted.count)).toEqual(
            wanted,
          );
        },
        LIMIT_MS,
      );

      const keeps = version === "0.1.14";
      test.concurrent(
        `${keeps ? "keeps" : "is told to clear"} its good copies of torn slots, as from a real leader`,
        async () => {
          const dir = await leaderDirectory(SMALL);
          const followerDir = freshDir();
          const whole = await oracleDigest(dir, SMALL, "0.1.14");
          {
            await using serving = Serving.at(dir);
            await using follower = await start(version, SMALL, serving.address, followerDir);
            await follower.waitdigest(whole.digest, CONVERGE_MS, whole.count);
            await follower.close();
          }
          tearSlots(dir, 5);
          await using serving = Serving.at(dir);
          await using follower = await start(version, SMALL, serving.address, followerDir);
          const count = keeps ? whole.count : whole.count - 5;
          if (keeps) {
            expect(await follower.waitdigest(whole.digest, CONVERGE_MS)).toEqual(whole);
          } else {
            const copy = join(freshDir(), "copy");
            cpSync(dir, copy, { recursive: true });
            const wanted = await oracleDigest(copy, SMALL, version);
            expect(wanted.count).toBe(count);
            expect(await follower.waitdigest(wanted.digest, CONVERGE_MS, count)).toEqual(wanted);
          }
        },
        LIMIT_MS,
      );

      test.concurrent(
        "streams live changes: growth, deletes, reused slots, a burst",
        async () => {
          const store = SampleStore.open(realDisk, freshDir(), {
            shards: 3,
            shardPrefixBits: 12,
            keyLen: 8,
            valueLen: 64,
            growStep: 200,
          });
          const shape = { shards: 3, prefixBits: 12, key: 8, value: 64, growStep: 1000 };
          const model = new Model(store);
          model.churn(1_000, 1);
          await using serving = new Serving(store, store, () => store.close());
          await using follower = await start(version, shape, serving.address);
          const scanned = model.digest();
          expect(await follower.waitdigest(scanned.digest, CONVERGE_MS, scanned.count)).toEqual(
            scanned,
          );
          for (let burst = 2; burst < 12; burst++) {
            model.churn(500, burst);
            await new Promise((resolve) => setImmediate(resolve));
          }
          const live = model.digest();
          expect(await follower.waitdigest(live.digest, CONVERGE_MS, live.count)).toEqual(live);
          expect((await follower.status()).caughtUp).toBe(3);
          await follower.close();
          expect(await oracleDigest(follower.dir, shape, version)).toEqual(live);
        },
        LIMIT_MS,
      );

      // Not beside others: they could take its port while it is free.
      test(
        "comes back when the leader does",
        async () => {
          const dir = await leaderDirectory(SMALL);
          const followerDir = freshDir();
          const first = Serving.at(dir);
          const { port, address } = first;
          const before = await oracleDigest(dir, SMALL, "0.1.14");
          await using follower = await start(version, SMALL, address, followerDir);
          await follower.waitdigest(before.digest, CONVERGE_MS, before.count);
          await first[Symbol.asyncDispose]();
          await using leader = await OracleLeader.start({ ...SMALL, version: "0.1.14", dir });
          await leader.churn(2_000, 9, 4_000);
          await leader.close();
          const wanted = await oracleDigest(dir, SMALL, "0.1.14");
          await using _second = Serving.at(dir, port);
          expect(await follower.waitdigest(wanted.digest, CONVERGE_MS, wanted.count)).toEqual(
            wanted,
          );
        },
        LIMIT_MS,
      );
    });
  }

  test.concurrent(
    "of each version, all at once on the same shards, converge on a directory that a crash left",
    async () => {
      const dir = freshDir();
      const leader = await OracleLeader.start({ ...SMALL, version: "0.15.0", dir });
      await leader.fill(0, 20_000, 3);
      await leader.churn(5_000, 4, 25_000);
      const wanted = await leader.digest();
      await leader.abort();
      await using serving = Serving.at(dir);
      const followers = await Promise.all(
        [...ORACLE_VERSIONS, ...ORACLE_VERSIONS].map((version) =>
          start(version, SMALL, serving.address),
        ),
      );
      const digests = await Promise.all(
        followers.map((follower) => follower.waitdigest(wanted.digest, CONVERGE_MS, wanted.count)),
      );
      expect(digests).toEqual(followers.map(() => wanted));
      for (const follower of followers) await follower.kill();
    },
    LIMIT_MS,
  );

  test.concurrent(
    "is fed by a store of ours that the crate opens, clean and dirty",
    async () => {
      const geometry = { shards: 2, shardPrefixBits: 0, keyLen: 8, valueLen: 16, growStep: 100 };
      for (const end of ["close", "abandon"] as const) {
        const dir = freshDir();
        const store = SampleStore.open(realDisk, dir, geometry);
        const model = new Model(store);
        model.churn(2_000, 5);
        store[end]();
        for (const version of ORACLE_VERSIONS) {
          expect(await oracleDigest(dir, SMALL, version)).toEqual(model.digest());
        }
        const again = SampleStore.open(realDisk, dir, geometry);
        expect(again.count).toBe(model.digest().count);
        again.close();
      }
    },
    LIMIT_MS,
  );
});
