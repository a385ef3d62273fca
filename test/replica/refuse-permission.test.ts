// A follower without the rights it needs: exit 15, what is missing and what to try, and nothing touched. Root may do anything, so
// where root runs the tests the program runs as another user (setpriv), and files can belong to somebody else.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { replicateOnce, runArmdb } from "../support/armdb.ts";
import { dataTreeOf, RealScriptedLeader } from "../support/bad-leader.ts";
import { openToAll, TempRoot, treeOf } from "../support/temp.ts";
import { has, need } from "../support/needs.ts";

const NOBODY = 65534;
const isRoot = process.geteuid?.() === 0;
/** A user without special rights: another one, or the one that runs the tests. */
const AS_NOBODY = isRoot
  ? ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"]
  : [];
const possible = !isRoot || has("setpriv");
const TEST_LIMIT_MS = 30_000;

describe.if(possible)("replicate --once without rights", () => {
  let temp: TempRoot;
  let replica = "";
  let leader: RealScriptedLeader;
  let readable = false;

  beforeAll(async () => {
    temp = new TempRoot("refuse-permission");
    chmodSync(temp.path, 0o755);
    replica = temp.fresh("replica");
    leader = RealScriptedLeader.good();
    expect((await replicateOnce(leader.address, replica)).status).toBe(0);
    // The program itself may lie where nobody else can read it.
    readable = (await runArmdb(["version"], { launcher: AS_NOBODY })).status === 0;
    if (!readable) console.log("skipped: the program cannot be read by another user");
  });
  afterAll(() => {
    leader[Symbol.dispose]();
    temp[Symbol.dispose]();
  });

  /** `withdraw` takes rights away for the time of the run; its result gives them back. */
  async function expectStorageError(
    dir: string,
    withdraw: () => () => void,
    says: RegExp,
    hint: RegExp,
  ): Promise<void> {
    const before = dataTreeOf(dir);
    const giveBack = withdraw();
    const run = await replicateOnce(leader.address, dir, [], { launcher: AS_NOBODY });
    giveBack();
    expect(run.error).toMatchObject({
      code: "storage",
      exit: 15,
      message: expect.stringMatching(says),
      hint: expect.stringMatching(hint),
    });
    expect(run.status).toBe(15);
    expect(run.stderr).not.toMatch(/^\s+at .+:\d+/m);
    expect(dataTreeOf(dir)).toEqual(before);
  }

  test(
    "to enter the replica: exit 15",
    async () => {
      if (!readable) return;
      const dir = await temp.copyOf(replica);
      const withdraw = () => {
        chmodSync(dir, 0);
        return () => chmodSync(dir, 0o700);
      };
      await expectStorageError(dir, withdraw, /EACCES, permission denied/, /sudo -u OWNER/);
    },
    TEST_LIMIT_MS,
  );

  test(
    "to write it, although it can be read: exit 15",
    async () => {
      if (!readable) return;
      const dir = await temp.copyOf(replica);
      const names = ["", ...readdirSync(dir, { recursive: true }).map(String)];
      const modes = names.map((name) => [join(dir, name), statSync(join(dir, name)).mode] as const);
      const withdraw = () => {
        for (const [path, mode] of modes) chmodSync(path, (mode & 0o111) === 0 ? 0o444 : 0o555);
        return () => modes.forEach(([path, mode]) => chmodSync(path, mode & 0o7777));
      };
      const says = /permission denied|belong to user 0/;
      await expectStorageError(dir, withdraw, says, /sudo -u/);
    },
    TEST_LIMIT_MS,
  );

  test.if(need("root", isRoot))(
    "to give new files the owner that the others have: exit 15, with that owner's number",
    async () => {
      if (!readable) return;
      const dir = await temp.copyOf(replica);
      openToAll(dir);
      // Everything may be written; only db.meta belongs to somebody else.
      for (const name of ["", ...readdirSync(dir, { recursive: true })]) {
        if (name !== "db.meta") chownSync(join(dir, String(name)), NOBODY, NOBODY);
      }
      const says = /its files belong to user 0, group 0/;
      await expectStorageError(dir, () => () => {}, says, /sudo -u '#0'/);
    },
    TEST_LIMIT_MS,
  );

  test(
    "to make the directory: exit 15",
    async () => {
      if (!readable) return;
      const parent = temp.fresh("parent");
      mkdirSync(parent);
      const dir = join(parent, "replica");
      const withdraw = () => {
        chmodSync(parent, 0o555);
        return () => chmodSync(parent, 0o755);
      };
      await expectStorageError(dir, withdraw, /Cannot .*"[^"]+replica".*EACCES/, /sudo -u OWNER/);
      expect(readdirSync(parent)).toEqual([]);
    },
    TEST_LIMIT_MS,
  );

  test.if(need("root", isRoot))(
    "with them it works, and what it adds belongs to the owner of the replica",
    async () => {
      if (!readable) return;
      const dir = await temp.copyOf(replica);
      for (const name of ["", ...readdirSync(dir, { recursive: true })]) {
        chownSync(join(dir, String(name)), NOBODY, NOBODY);
      }
      // By root, whose own files these are not.
      expect((await replicateOnce(leader.address, dir)).status).toBe(0);
      const owners = Object.values(treeOf(dir) ?? {}).map((facts) => facts.split(" ")[2]);
      expect(new Set(owners)).toEqual(new Set([`${NOBODY}:${NOBODY}`]));
      const run = await replicateOnce(leader.address, dir, [], { launcher: AS_NOBODY });
      expect(run.status).toBe(0);
    },
    TEST_LIMIT_MS,
  );
});
