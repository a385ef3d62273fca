// A file system that is full, as a small tmpfs in a mount namespace of its own: exit 14, what is missing, and what was there is
// still whole. Needs the right to mount in a namespace (root, or user namespaces); elsewhere it is skipped.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync } from "node:fs";
import { type ArmdbRun, replicateOnce } from "../support/armdb.ts";
import {
  BAD_LEADER_INFO,
  dataTreeOf,
  goodLeader,
  RealScriptedLeader,
} from "../support/bad-leader.ts";
import { goodScript } from "../support/leader-scripts.ts";
import { contentsDigest } from "../support/replica-contents.ts";
import { TempRoot } from "../support/temp.ts";
import { has, need } from "../support/needs.ts";

/**
 * `sh -c ON_SMALL_DISK sh SIZE MOUNT KEPT PROGRAM...`: mounts, brings KEPT/before there if it is, runs the program, takes what
 * it left to KEPT/after, and hands its status on.
 */
const ON_SMALL_DISK = `
  size=$1 mount=$2 kept=$3; shift 3
  mount -t tmpfs -o "size=$size" tmpfs "$mount" || exit 99
  if [ -e "$kept/before" ]; then cp -a "$kept/before" "$mount/replica"; fi
  "$@"; status=$?
  if [ -e "$mount/replica" ]; then cp -a "$mount/replica" "$kept/after"; fi
  exit $status`;

/** Further than a follower of 100 slots may reserve on the small disk, and near enough to be believed. */
const FAR_SLOT = 50_000;

/** As root a mount namespace is enough; others become root in a user namespace of their own. */
const NAMESPACE =
  process.geteuid?.() === 0 ? ["unshare", "--mount"] : ["unshare", "--map-root-user", "--mount"];
const SHELL = [...NAMESPACE, "sh", "-c", ON_SMALL_DISK, "sh"];

function canMount(): boolean {
  if (!has("unshare")) return false;
  using temp = new TempRoot("mount");
  const words = [...SHELL, "64k", temp.path, temp.path, "true"];
  return Bun.spawnSync(words, { stdout: "ignore", stderr: "ignore" }).exitCode === 0;
}

const possible = canMount();

function expectNoSpace(run: ArmdbRun): void {
  expect(run.error).toMatchObject({
    code: "no-space",
    exit: 14,
    message: expect.stringMatching(
      /^Cannot reserve space for ".+fixed\.data": [\d,]+ slots take [\d,]+ bytes more, and [\d,]+ are free$/,
    ),
    hint: expect.stringMatching(/df -h/),
  });
  expect(run.status).toBe(14);
  expect(run.stderr).not.toMatch(/^\s+at .+:\d+/m);
}

describe.if(need("mount namespaces", possible))("replicate on a full file system", () => {
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
    return { launcher: [...SHELL, size, mount, kept], dir: `${mount}/replica`, kept };
  }

  test("with a new directory: exit 14, and with space it is made from what is left", async () => {
    using leader = RealScriptedLeader.good({ ...BAD_LEADER_INFO, slotCount: 100_000 });
    const { launcher, dir, kept } = onSmallDisk("1m");
    expectNoSpace(await replicateOnce(leader.address, dir, [], { launcher }));

    const again = `${kept}/after`;
    expect((await replicateOnce(leader.address, again)).status).toBe(0);
    expect(contentsDigest(again).count).toBe(20);
  });

  test("with a replica that must grow: exit 14, and what it holds stays as it was", async () => {
    const replica = temp.fresh("replica");
    using small = RealScriptedLeader.good();
    expect((await replicateOnce(small.address, replica)).status).toBe(0);
    const { launcher, dir, kept } = onSmallDisk("256k");
    cpSync(replica, `${kept}/before`, { recursive: true });

    const good = goodLeader(BAD_LEADER_INFO);
    const slots = (shard: number) =>
      good.slots(shard).map((slot) => ({ ...slot, slot: slot.slot + FAR_SLOT }));
    using far = new RealScriptedLeader(goodScript({ ...good, slots }));
    expectNoSpace(await replicateOnce(far.address, dir, [], { launcher }));
    const after = `${kept}/after`;
    expect(contentsDigest(after)).toEqual(contentsDigest(replica));
    const names = (of: string) => Object.keys(dataTreeOf(of) ?? {});
    expect(names(after)).toEqual(names(replica));
    // With space it goes on from there.
    expect((await replicateOnce(far.address, after)).status).toBe(4);
    expect(contentsDigest(after).count).toBe(40);
  });
});
