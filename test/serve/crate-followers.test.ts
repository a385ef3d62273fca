// The crate's own followers, in three versions, on our leader: they converge, whatever lies in the directory.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SampleStore } from "../../scripts/sample-store.ts";
import { shardDirectory } from "../../src/format/routing.ts";
import { decodeShardHeader, slotOffset } from "../../src/format/shard-header.ts";
import { STATUS_OCCUPIED, statusOf } from "../../src/format/slot.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { realNet } from "../../src/io/sockets.ts";
import { realClock } from "../../src/io/time.ts";
import { NO_LIVE_EVENTS, type LiveSource } from "../../src/serve/live-source.ts";
import type { FollowerReport } from "../../src/serve/report.ts";
import { type ServedDatabase, ServedDirectory } from "../../src/serve/served-database.ts";
import { LeaderServer } from "../../src/serve/server.ts";
import {
  buildOracle,
  digestOf,
  ORACLE_VERSIONS,
  oracleAvailable,
  oracleDigest,
  OracleFollower,
  type OracleGeometry,
  OracleLeader,
  type OracleVersion,
} from "../support/oracle.ts";
import { seededBytes } from "./memory-database.ts";

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

/** A leader of ours on a free port, until it is disposed of. */
class Serving implements AsyncDisposable {
  readonly #server: LeaderServer;
  readonly #close: () => void;
  readonly reports: FollowerReport[] = [];

  constructor(database: ServedDatabase, live: LiveSource, close: () => void, port = 0) {
    const report = (one: FollowerReport) => void this.reports.push(one);
    const options = { net: realNet, clock: realClock, database, live, report };
    this.#server = LeaderServer.start(options, "127.0.0.1", port);
    this.#close = close;
  }

  static at(dir: string, port = 0): Serving {
    const directory = ServedDirectory.open(realDisk, dir);
    return new Serving(directory, NO_LIVE_EVENTS, () => directory.close(), port);
  }

  get address(): string {
    return this.#server.at;
  }

  get port(): number {
    return this.#server.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop();
    this.#close();
  }
}

const available = oracleAvailable();
if (!available) console.log("skipped: the crate's followers need cargo on the PATH");

describe.if(available)("a crate follower", () => {
  let root = "";

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), "armdb-serve-"));
    await buildOracle();
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

/** Changes a store and remembers what it must hold. */
class Model {
  readonly #store: SampleStore;
  readonly #records = new Map<number, Uint8Array>();

  constructor(store: SampleStore) {
    this.#store = store;
  }

  /** Four puts and one delete in five. */
  churn(changes: number, seed: number): void {
    const { keyLen, valueLen } = this.#store.layout;
    for (let change = 0; change < changes; change++) {
      const number = (change * 7919 + seed * 104_729) % 1_500;
      const key = seededBytes(keyLen, number);
      if (change % 5 === 0) {
        this.#store.delete(key);
        this.#records.delete(number);
      } else {
        const value = seededBytes(valueLen, seed * 100_000 + change);
        this.#store.put(key, value);
        this.#records.set(number, value);
      }
    }
  }

  digest() {
    const { keyLen } = this.#store.layout;
    return digestOf(
      [...this.#records].map(([number, value]) => [seededBytes(keyLen, number), value] as const),
    );
  }
}

/** Spoils the value of that many OCCUPIED slots of shard 0, as torn writes do, and leaves the directory dirty. */
function tearSlots(dir: string, count: number): number {
  const path = join(dir, shardDirectory(0), "fixed.data");
  const bytes = readFileSync(path);
  const header = decodeShardHeader(bytes);
  if (header === null) throw new Error("no header");
  let torn = 0;
  for (let slot = 0; slot < header.slotCount && torn < count; slot += 7) {
    const offset = slotOffset(slot, header.slotSize);
    if (statusOf(bytes.readUInt32LE(offset)) !== STATUS_OCCUPIED) continue;
    const place = offset + 8 + header.keyLen;
    bytes[place] = (bytes[place] ?? 0) ^ 0x5a;
    torn++;
  }
  bytes[17] = 0;
  writeFileSync(path, bytes);
  rmSync(join(dir, shardDirectory(0), "fixed.versions"), { force: true });
  return torn;
}
