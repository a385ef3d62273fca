// A first copy that is cut off, with real processes: whatever ends it, and wherever, verify says that it is incomplete, exit 4; the
// same command again brings the rest, and then it is complete, exit 0. A proxy stops the stream at a byte of it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { verifyCommand } from "../../src/cli/commands/verify.ts";
import { Armdb, replicateOnce } from "../support/armdb.ts";
import { need } from "../support/needs.ts";
import { oracleAvailable, oracleDigest } from "../support/oracle.ts";
import { Proxy } from "../support/proxy.ts";
import { makeRecordDirectory } from "../support/record-directory.ts";
import { runCommand } from "../support/run-command.ts";
import { TempRoot } from "../support/temp.ts";

/** One per cent of them is more than a batch. */
const RECORDS = 200_000;
/** Bytes of the leader's first frame. */
const SHARD_INFO_BYTES = 17;
const LIMIT_MS = 60_000;
const SHAPE = { shards: 1, prefixBits: 0, key: 8, value: 16, growStep: RECORDS };

const temp = new TempRoot("first-copy");
let leader: Armdb;
let leaderPort = 0;
/** Bytes of a whole scan, ShardInfo to CaughtUp. */
let scanBytes = 0;

beforeAll(async () => {
  const dir = temp.fresh("leader");
  makeRecordDirectory(dir, RECORDS);
  leader = Armdb.start(["serve", dir, "--listen", "127.0.0.1:0", "--json"], { limitMs: 300_000 });
  const { at } = await leader.line({ type: "listening" });
  leaderPort = Number(String(at).split(":").at(-1));
  await using proxy = await Proxy.start(leaderPort);
  expect((await replicateOnce(proxy.address, temp.fresh("whole"))).status).toBe(0);
  scanBytes = Math.max(...proxy.records.map(({ bytesToFollower }) => bytesToFollower));
}, LIMIT_MS);
afterAll(async () => {
  await leader.stop();
  temp[Symbol.dispose]();
}, LIMIT_MS);

interface Verified {
  readonly verdict: string;
  readonly complete: boolean | null;
  readonly shards: readonly { readonly occupied: number }[];
  readonly findings: readonly { readonly kind: string }[];
}

/** The document is undefined where there is no database. */
async function verified(dir: string): Promise<{ status: number; document: Verified | undefined }> {
  const { status, documents } = await runCommand(verifyCommand, [dir, "--json"]);
  return { status, document: documents[0] as Verified | undefined };
}

async function expectIncomplete(dir: string): Promise<number> {
  const { status, document } = await verified(dir);
  expect(document).toMatchObject({ verdict: "incomplete", complete: false });
  expect(status).toBe(4);
  return document?.shards[0]?.occupied ?? 0;
}

/** -1 where it is no database yet. */
async function recordsIn(dir: string): Promise<number> {
  const { document } = await verified(dir);
  return document?.shards[0]?.occupied ?? -1;
}

/** Waits until so many records have been written at least, and no more come. */
async function settled(dir: string, recordsMin: number): Promise<void> {
  let before = -1;
  for (;;) {
    const now = existsSync(join(dir, "armdb.state.json")) ? await recordsIn(dir) : -1;
    if (now >= recordsMin && now === before) return;
    before = now;
    await Bun.sleep(100);
  }
}

/** The same command again, to its end. */
async function expectCompletedBy(address: string, dir: string): Promise<void> {
  const run = await replicateOnce(address, dir);
  expect({ status: run.status, stderr: run.stderr }).toMatchObject({ status: 0 });
  const { status, document } = await verified(dir);
  expect(document).toMatchObject({ verdict: "ok", complete: true });
  expect([status, document?.shards[0]?.occupied]).toEqual([0, RECORDS]);
}

interface Cut {
  readonly what: string;
  /** Of the bytes of a whole scan. */
  readonly share: number;
  readonly recordsMin: number;
  readonly end: (follower: Armdb) => Promise<unknown>;
}

const interrupted = (follower: Armdb) => follower.stop("SIGINT");
const CUTS: readonly Cut[] = [
  { what: "SIGINT at 1 %", share: 0.01, recordsMin: RECORDS * 0.005, end: interrupted },
  { what: "SIGINT at 50 %", share: 0.5, recordsMin: RECORDS * 0.4, end: interrupted },
  { what: "SIGINT at 99 %", share: 0.99, recordsMin: RECORDS * 0.9, end: interrupted },
  {
    what: "SIGINT twice at 50 %",
    share: 0.5,
    recordsMin: RECORDS * 0.4,
    end: async (follower) => {
      follower.signal("SIGINT");
      return await follower.stop("SIGINT");
    },
  },
  {
    what: "SIGKILL at 50 %",
    share: 0.5,
    recordsMin: RECORDS * 0.4,
    end: (follower) => follower.kill(),
  },
];

describe("a first copy that ends by", () => {
  for (const { what, share, recordsMin, end } of CUTS) {
    test(
      `${what} is incomplete, also while it runs, until the same command has come to its end`,
      async () => {
        const cutAtByte = Math.floor(scanBytes * share);
        const toFollower = { cutAtByte, cut: "half-open" } as const;
        await using proxy = await Proxy.start(leaderPort, { toFollower });
        const dir = temp.fresh("copy");
        await using follower = Armdb.replicate(proxy.address, dir);
        await settled(dir, recordsMin);
        await expectIncomplete(dir);
        await end(follower);
        const records = await expectIncomplete(dir);
        expect(records).toBeGreaterThanOrEqual(recordsMin);
        expect(records).toBeLessThan(RECORDS);
        proxy.plan = {};
        await expectCompletedBy(proxy.address, dir);
      },
      LIMIT_MS,
    );
  }

  test(
    "a signal is incomplete by another name of the leader, too",
    async () => {
      const cutAtByte = Math.floor(scanBytes * 0.5);
      const toFollower = { cutAtByte, cut: "half-open" } as const;
      const dir = temp.fresh("copy");
      for (const name of ["one", "another"]) {
        await using proxy = await Proxy.start(leaderPort, { toFollower });
        await using follower = Armdb.replicate(proxy.address, dir);
        await settled(dir, RECORDS * 0.4);
        // Its ShardInfo fits from here on, and the state file takes its name.
        await follower.line({ type: "shard", state: "scanning" });
        await interrupted(follower);
        expect([name, await expectIncomplete(dir)]).toEqual([name, expect.any(Number)]);
      }
      await using proxy = await Proxy.start(leaderPort);
      await expectCompletedBy(proxy.address, dir);
    },
    LIMIT_MS,
  );

  test(
    "SIGINT at 0 % has made nothing",
    async () => {
      const toFollower = { cutAtByte: SHARD_INFO_BYTES, cut: "half-open" } as const;
      await using proxy = await Proxy.start(leaderPort, { toFollower });
      const dir = temp.fresh("copy");
      await using follower = Armdb.replicate(proxy.address, dir);
      await follower.line({ type: "shard", state: "scanning" });
      await interrupted(follower);
      expect((await verified(dir)).status).toBe(10);
      proxy.plan = {};
      await expectCompletedBy(proxy.address, dir);
    },
    LIMIT_MS,
  );

  test(
    "SIGINT between CaughtUp and the leader's sign of life is incomplete, though every record is here",
    async () => {
      // The sign of life is a connection of its own, behind the shard's and one from before it.
      const plan = (connection: number) =>
        connection < 2 ? {} : { toFollower: { cutAtByte: 0, cut: "half-open" as const } };
      await using proxy = await Proxy.start(leaderPort, plan);
      const dir = temp.fresh("copy");
      await using follower = Armdb.replicate(proxy.address, dir);
      await settled(dir, RECORDS);
      await follower.stop("SIGINT");
      expect(await expectIncomplete(dir)).toBe(RECORDS);
      proxy.plan = {};
      await expectCompletedBy(proxy.address, dir);
    },
    LIMIT_MS,
  );

  test.if(need("built oracle (bun test/oracle/build.ts)", oracleAvailable()))(
    "a signal is incomplete after a crate has opened and closed it, too",
    async () => {
      const toFollower = { cutAtByte: Math.floor(scanBytes / 2), cut: "half-open" } as const;
      await using proxy = await Proxy.start(leaderPort, { toFollower });
      const dir = temp.fresh("copy");
      await using follower = Armdb.replicate(proxy.address, dir);
      await settled(dir, RECORDS * 0.4);
      await follower.stop("SIGINT");
      const records = await expectIncomplete(dir);
      const { count } = await oracleDigest(dir, SHAPE, "0.15.0");
      expect(count).toBe(records);
      expect(await expectIncomplete(dir)).toBe(records);
    },
    LIMIT_MS,
  );
});
