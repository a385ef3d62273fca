// A replica that has to grow on a small ext4: it takes what its slots need, says that space is short, and stops in good order. Skipped
// where there are no loop devices.

import { describe, expect, test } from "bun:test";
import { readdirSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { packMeta, slotLayout, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { Armdb } from "../support/armdb.ts";
import { RealScriptedLeader } from "../support/bad-leader.ts";
import { goodScript, scriptedSlot } from "../support/leader-scripts.ts";
import { LoopImage } from "../support/loop-image.ts";
import { need } from "../support/needs.ts";
import { contentsDigest } from "../support/replica-contents.ts";
import { TempRoot } from "../support/temp.ts";

const LIMIT_MS = 60_000;
const IMAGE_MIB = 48;
const LAYOUT = slotLayout(8, 64);

/** A leader of so many slots, all with records. */
function leaderOf(records: number): RealScriptedLeader {
  const slots = Array.from({ length: records }, (_, slot) => {
    const key = new Uint8Array(8);
    new DataView(key.buffer).setUint32(0, slot);
    const value = new Uint8Array(64).fill(slot);
    return scriptedSlot(slot, packMeta(STATUS_OCCUPIED, 1), LAYOUT, key, value);
  });
  const info = { ...LAYOUT, shardCount: 1, slotCount: records, shardPrefixBits: 0 };
  return new RealScriptedLeader(goodScript({ info, protocol: 2, slots: () => slots }));
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

const hasLoops = need("loop devices", LoopImage.available());

describe.if(hasLoops)("a replica of 1000 slots that has to hold 2022, on an ext4 of 48 MB", () => {
  test(
    "takes the space of 2022, says that space is short, and stops in good order",
    async () => {
      using temp = new TempRoot("short-disk");
      await using image = await LoopImage.create(temp.fresh("image"), IMAGE_MIB);
      const dir = join(image.root, "replica");
      const launcher = image.inside;
      const seen = image.reach(dir);
      {
        using leader = leaderOf(1000);
        await using once = Armdb.replicate(leader.address, dir, ["--once"], { launcher });
        expect((await once.ended()).status).toBe(0);
      }
      const before = freeBytes(seen);
      using leader = leaderOf(2022);
      await using follower = Armdb.replicate(leader.address, dir, [], { launcher });
      await follower.ready();
      const taken = before - freeBytes(seen);
      const needed = (2022 - 1000) * LAYOUT.slotSize;
      expect(Math.abs(taken - needed)).toBeLessThan(1024 * 1024);
      expect(follower.stderr).toContain("the disk is short of space");
      expect(follower.stderr.match(/short of space/g)).toHaveLength(1);

      const { status, stderr } = await follower.stop();
      expect(stderr).not.toContain("not closed clean");
      expect(status).toBe(0);
      const names = readdirSync(join(seen, "shard_000"));
      expect(names.sort()).toEqual(["fixed.data", "fixed.versions", "fixed_repl.cursor"]);
      expect(statSync(join(seen, "shard_000/fixed.data")).size).toBeLessThan(1024 * 1024);
      expect(contentsDigest(seen).count).toBe(2022);
    },
    LIMIT_MS,
  );
});
