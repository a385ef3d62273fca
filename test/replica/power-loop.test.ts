// Real power cuts, on an ext4 image over a loop device: whatever was called durable, by `ready`, by the end of --once or by a
// durableLag of 0, is on the disk when the power goes, also when a kill -9 came first; the rest heals. Skipped where there
// are no loop devices, and fails instead where CI_REQUIRE_LOOP is set.

import { describe, expect, test } from "bun:test";
import type { Armdb } from "../support/armdb.ts";
import { runArmdb } from "../support/armdb.ts";
import { Dice } from "../support/dice.ts";
import { eventually } from "../support/follow-stage.ts";
import { inState } from "../support/follower-states.ts";
import { LoopImage } from "../support/loop-image.ts";
import { type Digest, oracleAvailable, type OracleLeader } from "../support/oracle.ts";
import { contentsDigest, shardsOf } from "../support/replica-contents.ts";
import { ReplicaStage } from "../support/replica-stage.ts";
import { has, need } from "../support/needs.ts";

const LIMIT_MS = 150_000;
const IMAGE_MIB = 64;
const CUTS_UNDER_LOAD = 6;
/** Slots of 1040 bytes: some lie across the edge of a page, and can be torn there. */
const shape = { shards: 2, prefixBits: 0, key: 32, value: 1000, growStep: 6_000 };

const required = Boolean(process.env["CI_REQUIRE_LOOP"]);
const possible = need("loop devices", required || LoopImage.available());

describe.if(oracleAvailable() && possible)("a power cut on ext4", () => {
  /** A leader with records, and a disk for its replica. */
  async function begin(): Promise<Scene> {
    const stage = new ReplicaStage("0.15.0", shape);
    const leader = await stage.leader();
    await leader.fill(0, 4_000, 1);
    return new Scene(stage, leader, await LoopImage.create(stage.path("image"), IMAGE_MIB));
  }

  test(
    "after `ready` leaves everything",
    async () => {
      await using scene = await begin();
      const follower = scene.follow();
      await follower.ready();
      expect(await scene.digestAfterCut(follower)).toEqual(await scene.leader.digest());
    },
    LIMIT_MS,
  );

  test(
    "after --once leaves everything, closed in good order",
    async () => {
      await using scene = await begin();
      const once = scene.follow(["--once"]);
      expect((await once.ended()).status).toBe(0);
      expect(await scene.digestAfterCut(null)).toEqual(await scene.leader.digest());
    },
    LIMIT_MS,
  );

  test(
    "after a durableLag of 0 leaves what the stream brought",
    async () => {
      await using scene = await begin();
      const follower = scene.follow();
      await inState(follower, "live", 2);
      await scene.leader.churn(6_000, 2, 5_000);
      const wanted = await scene.leader.digest();
      await eventually(
        () => contentsDigest(scene.image.reach(scene.dir)),
        (seen) => seen.digest === wanted.digest,
      );
      await scene.untilDurable();
      expect(await scene.digestAfterCut(follower)).toEqual(wanted);
    },
    LIMIT_MS,
  );

  test(
    "after a kill -9 and a new `ready` leaves what only the system's memory held",
    async () => {
      await using scene = await begin();
      const first = scene.follow(["--sync", "off"]);
      await inState(first, "live", 2);
      await scene.leader.churn(6_000, 2, 5_000);
      const wanted = await scene.leader.digest();
      await eventually(
        () => contentsDigest(scene.image.reach(scene.dir)),
        (seen) => seen.digest === wanted.digest,
      );
      await first.kill();
      const second = scene.follow(["--sync", "off"]);
      await second.ready();
      expect(await scene.digestAfterCut(second)).toEqual(wanted);
    },
    LIMIT_MS,
  );

  test(
    "under load leaves each slot as it was when it was last called durable, or newer, or torn; and heals",
    async () => {
      const dice = new Dice(7);
      await using scene = await begin();
      let follower = scene.follow();
      await follower.ready();
      const before = shardsOf(scene.image.reach(scene.dir)).map((shard) => shard.words);
      for (let cut = 0; cut < CUTS_UNDER_LOAD; cut++) {
        const load = scene.leader.rate(6_000, 2, 10 + cut, 4_000);
        // Some moment of the load.
        await Bun.sleep(1_000 + dice.below(2_000));
        await scene.cutTo(follower);
        const found = shardsOf(scene.image.reach(scene.dir));
        for (const [shard, contents] of found.entries()) {
          const torn = new Set(contents.torn);
          const older = contents.words.flatMap((word, slot) => {
            const isOlder = word >>> 2 < (before[shard]?.[slot] ?? 0) >>> 2;
            return isOlder && !torn.has(slot) ? [slot] : [];
          });
          expect({ cut, shard, older }).toEqual({ cut, shard, older: [] });
        }
        await load;
        follower = scene.follow();
        await follower.ready();
        const wanted = await scene.leader.digest();
        const healed = await eventually(
          () => contentsDigest(scene.image.reach(scene.dir)),
          (seen) => seen.digest === wanted.digest,
        );
        expect(healed).toEqual(wanted);
      }
    },
    LIMIT_MS,
  );

  test.if(has("strace"))(
    "shows a disk that lies: this test could see a missing sync",
    async () => {
      await using scene = await begin();
      const lies = ["strace", "-D", "-f", "-qq", "-o", "/dev/null"].concat([
        "-e",
        "trace=fdatasync,fsync",
        "-e",
        "inject=fdatasync,fsync:retval=0",
      ]);
      const follower = scene.follow([], lies);
      await follower.ready();
      const left = await scene.digestAfterCut(follower).catch(() => null);
      expect(left).not.toEqual(await scene.leader.digest());
    },
    LIMIT_MS,
  );
});

class Scene implements AsyncDisposable {
  readonly stage: ReplicaStage;
  readonly leader: OracleLeader;
  image: LoopImage;

  constructor(stage: ReplicaStage, leader: OracleLeader, image: LoopImage) {
    this.stage = stage;
    this.leader = leader;
    this.image = image;
  }

  /** The replica, for programs inside. */
  get dir(): string {
    return `${this.image.root}/replica`;
  }

  follow(args: readonly string[] = [], under: readonly string[] = []): Armdb {
    const launcher = [...this.image.inside, ...under];
    return this.stage.follower(this.leader, this.dir, args, { launcher });
  }

  /** Waits until `armdb status` calls everything durable. */
  async untilDurable(): Promise<void> {
    const lags = async () => {
      const launcher = this.image.inside;
      const { stdout } = await runArmdb(["status", this.dir, "--json"], { launcher });
      const { shards } = JSON.parse(stdout) as { shards: { durableLagMs: number | null }[] };
      return shards.map((shard) => shard.durableLagMs);
    };
    expect(await eventually(lags, (seen) => seen.every((lag) => lag === 0))).toEqual([0, 0]);
  }

  /** The power goes while the follower is stopped; goes on with what was left, mounted anew. */
  async cutTo(follower: Armdb | null): Promise<void> {
    follower?.signal("SIGSTOP");
    const cut = this.image.cut(this.stage.path("cut"));
    await follower?.kill();
    await this.image[Symbol.asyncDispose]();
    this.image = await LoopImage.mount(cut);
  }

  /** What the crate reads after a power cut. */
  async digestAfterCut(follower: Armdb | null): Promise<Digest> {
    await this.cutTo(follower);
    return this.stage.digestInUse(this.image.reach(this.dir));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage[Symbol.asyncDispose]();
    await this.image[Symbol.asyncDispose]();
  }
}
