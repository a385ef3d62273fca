// A file system that is full, as a small tmpfs in a mount namespace of its own: exit 14, what is missing, and what was there is
// still whole. Needs root, unshare and mount; elsewhere it is skipped.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync } from "node:fs";
import { Armdb, type ArmdbRun, replicateOnce } from "../support/armdb.ts";
import { BAD_LEADER_INFO, dataTreeOf, RealScriptedLeader } from "../support/bad-leader.ts";
import {
  BUILD_LIMIT_MS,
  expectCrateReads,
  FollowStage,
  FOLLOW_LIMIT_MS,
} from "../support/follow-stage.ts";
import { buildOracle, oracleAvailable, type OracleGeometry } from "../support/oracle.ts";
import { contentsDigest, shardsOf } from "../support/replica-contents.ts";
import { TempRoot } from "../support/temp.ts";

/** `sh -c MOUNTED tmpfs-options mountpoint program...`: mounts, runs the program, hands its status on. */
const MOUNTED = 'mount -t tmpfs -o "$1" tmpfs "$2" || exit 99; shift 2; "$@"';
/** The same, and copies what the program left to $3/after. */
const MOUNTED_KEPT = `mount -t tmpfs -o "$1" tmpfs "$2" || exit 99
  mount=$2 kept=$3; shift 3; if [ -e "$kept/before" ]; then cp -a "$kept/before" "$mount/replica"; fi
  "$@"; status=$?; cp -a "$mount/replica" "$kept/after"; exit $status`;

function canMount(): boolean {
  if (process.geteuid?.() !== 0 || Bun.which("unshare") === null) return false;
  using temp = new TempRoot("mount");
  const words = ["unshare", "-m", "sh", "-c", MOUNTED, "sh", "size=64k", temp.path, "true"];
  return Bun.spawnSync(words, { stdout: "ignore", stderr: "ignore" }).exitCode === 0;
}

const possible = canMount();

function expectNoSpace(run: ArmdbRun): void {
  expect(run.error).toMatchObject({
    code: "no-space",
    exit: 14,
    message: expect.stringMatching(/fixed\.data": ENOSPC, no space is left on the device/),
    hint: expect.stringMatching(/df -h/),
  });
  expect(run.status).toBe(14);
  expect(run.stderr).not.toMatch(/^\s+at .+:\d+/m);
}

describe.if(possible)("replicate on a full file system", () => {
  let temp: TempRoot;
  beforeAll(() => {
    temp = new TempRoot("refuse-space");
  });
  afterAll(() => temp[Symbol.dispose]());

  /** A follower on a tmpfs of this size; what lies in `kept`/before is there, what it leaves goes to `kept`/after. */
  function onSmallDisk(size: string): { launcher: string[]; dir: string; kept: string } {
    const [mount, kept] = [temp.fresh("mount"), temp.fresh("kept")];
    mkdirSync(mount);
    mkdirSync(kept);
    const shell = ["unshare", "-m", "sh", "-c", MOUNTED_KEPT, "sh"];
    return { launcher: [...shell, `size=${size}`, mount, kept], dir: `${mount}/replica`, kept };
  }

  test("with a new directory: exit 14, and with space it is made from what is left", async () => {
    using leader = RealScriptedLeader.good({ ...BAD_LEADER_INFO, slotCount: 100_000 });
    const { launcher, dir, kept } = onSmallDisk("1m");
    expectNoSpace(await replicateOnce(leader.address, dir, [], { launcher }));

    const again = `${kept}/after`;
    expect((await replicateOnce(leader.address, again)).status).toBe(0);
    expect(contentsDigest(again).count).toBe(20);
  });

  test("with a replica that must grow: exit 14, and the replica stays as it was", async () => {
    const replica = temp.fresh("replica");
    using small = RealScriptedLeader.good();
    expect((await replicateOnce(small.address, replica)).status).toBe(0);
    const { launcher, dir, kept } = onSmallDisk("128k");
    cpSync(replica, `${kept}/before`, { recursive: true, preserveTimestamps: true });
    const before = dataTreeOf(`${kept}/before`);

    using large = new RealScriptedLeader(growingScript());
    expectNoSpace(await replicateOnce(large.address, dir, [], { launcher }));
    const after = contentsDigest(`${kept}/after`);
    expect(after).toEqual(contentsDigest(replica));
    expect(Object.keys(dataTreeOf(`${kept}/after`) ?? {})).toEqual(Object.keys(before ?? {}));
  });
});
