// Repaired directories in the hands of the real crate: it opens them and holds the leader's contents; its follower heals a
// locally repaired replica; the followers of a locally repaired leader take that slot's next write.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync } from "node:fs";
import { compareCommand } from "../../src/cli/commands/compare.ts";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { decodeSlot, slotLayout, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import {
  type Digest,
  oracleAvailable,
  oracleDigest,
  OracleFollower,
  OracleLeader,
  type OracleVersion,
} from "../support/oracle.ts";
import { DAMAGES } from "./repair-damages.ts";
import { DatabaseFiles, runWords, TempDirectory } from "./repair-support.ts";

const VERSIONS = ["0.1.14", "0.15.0"] as const;
const SHAPE = { shards: 2, prefixBits: 0, key: 8, value: 16, growStep: 256 };
const LAYOUT = slotLayout(8, 16);
const LIMIT_MS = 120_000;

/** One of each kind of remedy; what is mended with the same bytes is for the other tests. */
const CHOSEN = [
  "everything at once",
  "a shard's directory is missing",
  "a shard's file is empty",
  "the end of a file is cut off in the middle of a slot",
  "a block of slots is garbage",
  "a key lies in a foreign shard",
  "a key is live in two slots",
  "a version has a flipped high bit",
  "a status is 3",
  "the slot count hides records",
] as const;

/** A leader with some history and a follower's directory that has caught up with it and is at rest. */
class Pair implements AsyncDisposable {
  readonly root: TempDirectory;
  readonly leader: OracleLeader;
  readonly replica: DatabaseFiles;
  readonly digest: Digest;

  private constructor(root: TempDirectory, leader: OracleLeader, digest: Digest) {
    this.root = root;
    this.leader = leader;
    this.digest = digest;
    this.replica = new DatabaseFiles(`${root.path}/replica`, LAYOUT);
  }

  static async make(version: OracleVersion): Promise<Pair> {
    const root = new TempDirectory();
    const leader = await OracleLeader.start({ ...SHAPE, version, dir: `${root.path}/leader` });
    await leader.fill(0, 400, 1);
    await leader.delrange(30, 20);
    await leader.churn(500, 3, 450);
    const digest = await leader.digest();
    const follower = await follow(version, `${root.path}/replica`, leader);
    expect(await follower.waitdigest(digest.digest, 20_000, digest.count)).toEqual(digest);
    await follower.close();
    return new Pair(root, leader, digest);
  }

  /** The directory as a crate of this version sees it; a copy, as opening changes it. */
  async contents(of: DatabaseFiles, version: OracleVersion): Promise<Digest> {
    using copy = new TempDirectory();
    cpSync(of.path, copy.path, { recursive: true });
    return await oracleDigest(copy.path, SHAPE, version);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leader.kill();
    this.root[Symbol.dispose]();
  }
}

function follow(version: OracleVersion, dir: string, leader: OracleLeader) {
  return OracleFollower.start({ ...SHAPE, version, dir, leader: leader.address });
}

function harm(name: string, files: DatabaseFiles): void {
  const damage = DAMAGES.find((each) => each.name === name);
  if (damage === undefined) throw new Error(`no damage is called "${name}"`);
  damage.harm(files);
}

describe.if(oracleAvailable())("the crate after a repair", () => {
  for (const version of VERSIONS) {
    describe(`leader ${version}`, () => {
      let pair: Pair;
      beforeAll(async () => {
        pair = await Pair.make(version);
      }, LIMIT_MS);
      afterAll(async () => {
        await pair[Symbol.asyncDispose]();
      });

      for (const name of CHOSEN) {
        test(
          `from the leader: ${name}`,
          async () => {
            using copy = new TempDirectory();
            cpSync(pair.replica.path, copy.path, { recursive: true });
            const files = new DatabaseFiles(copy.path, LAYOUT);
            harm(name, files);
            const words = [copy.path, "--from", pair.leader.address, "--apply", "--yes", "--json"];
            const { status, error, document } = await runWords(repairCommand, words);
            expect({ status, error: error?.message, left: document["remaining"] }).toEqual({
              status: 0,
              error: undefined,
              left: [],
            });
            for (const reader of VERSIONS) {
              expect(await pair.contents(files, reader)).toEqual(pair.digest);
            }
            const compared = await runWords(compareCommand, [
              copy.path,
              pair.leader.address,
              "--yes",
              "--json",
            ]);
            expect([compared.status, compared.document["differences"]]).toEqual([0, []]);
          },
          LIMIT_MS,
        );
      }

      test(
        "a locally repaired replica is healed by the crate's own follower",
        async () => {
          for (const name of ["everything at once", "a key is live in two slots"]) {
            using copy = new TempDirectory();
            cpSync(pair.replica.path, copy.path, { recursive: true });
            const files = new DatabaseFiles(copy.path, LAYOUT);
            harm(name, files);
            const repaired = await runWords(repairCommand, [
              copy.path,
              "--apply",
              "--yes",
              "--json",
            ]);
            expect(repaired.status).toBe(0);
            expect((repaired.document["lostKeys"] as unknown[]).length).toBeGreaterThan(0);
            await using follower = await follow(version, copy.path, pair.leader);
            expect(
              await follower.waitdigest(pair.digest.digest, 20_000, pair.digest.count),
            ).toEqual(pair.digest);
            await follower.close();
          }
        },
        LIMIT_MS,
      );
    });

    test(
      `followers of a locally repaired leader ${version} take that slot's next write`,
      async () => {
        await using pair = await Pair.make(version);
        await pair.leader.close();
        const files = new DatabaseFiles(`${pair.root.path}/leader`, LAYOUT);
        // The lowest slot: the crate fills lowest free slots first, so the lost key's next write goes there.
        const slot = files.slotsOf(0, STATUS_OCCUPIED)[0] ?? 0;
        const { key } = decodeSlot(files.slotBytes(0, slot), LAYOUT);
        const keyHex = Buffer.from(key).toString("hex");
        files.setSlot(
          0,
          slot,
          files.slotBytes(0, slot).map((byte, at) => (at === 20 ? byte ^ 0x10 : byte)),
        );
        const words = [files.path, "--apply", "--yes", "--json"];
        const { status, document } = await runWords(repairCommand, words);
        expect([status, document["lostKeys"]]).toEqual([
          0,
          [{ shard: 0, slot, key: null, keyDamaged: true }],
        ]);
        const dir = files.path;
        await using leader = await OracleLeader.start({ ...SHAPE, version, dir });
        expect(await leader.get(keyHex)).toBeNull();
        await using follower = await follow(version, pair.replica.path, leader);
        await leader.put(keyHex, "ab".repeat(16));
        const wanted = await leader.digest();
        expect(await follower.waitdigest(wanted.digest, 20_000, wanted.count)).toEqual(wanted);
        expect(await follower.get(keyHex)).toBe("ab".repeat(16));
        await follower.close();
        await leader.close();
      },
      LIMIT_MS,
    );
  }
});
