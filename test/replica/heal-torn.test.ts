// Torn slots in the replica: an OCCUPIED slot with a bad crc keeps its version, so the leader's copy is not newer, and a crate
// follower would keep it for ever. Here the next scan mends them.

import { describe, expect, test } from "bun:test";
import { open, readFile } from "node:fs/promises";
import { Dice } from "../support/dice.ts";
import { ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";
import { linesOf } from "../support/follower-states.ts";
import { ReplicaStage } from "../support/replica-stage.ts";
import { slotBytes } from "../support/slot-diff.ts";

const LIMIT_MS = 150_000;
const HEADER_BYTES = 4096;
const TORN = 40;

describe.if(oracleAvailable())("40 torn slots in the replica", () => {
  for (const version of ORACLE_VERSIONS) {
    test(
      `heal at the next scan (${version})`,
      async () => {
        await using stage = new ReplicaStage(version);
        const leader = await stage.leader();
        await leader.fill(0, 5_000, 1);
        const wanted = await leader.digest();
        const dir = stage.path("replica");
        const first = stage.follower(leader, dir);
        await first.ready();
        expect((await first.stop()).status).toBe(0);
        // Closed in good order: flag and sidecar say that all is well.
        const shards = [0, 1];
        for (const shard of shards) await tear(stage, dir, shard, TORN / shards.length);
        const damaged = await stage.copy(dir);
        expect((await stage.digest(damaged)).digest).not.toBe(wanted.digest);

        const second = stage.follower(leader, dir, ["--once"]);
        expect((await second.ended()).status).toBe(0);
        for (const line of linesOf(second, "caught-up")) expect(line["applied"]).toBe("20");
        expect(await stage.digest(dir)).toEqual(wanted);
      },
      LIMIT_MS,
    );
  }
});

/** Flips one bit of `count` occupied slots: of the version, the crc, the key or the value. */
async function tear(stage: ReplicaStage, dir: string, shard: number, count: number): Promise<void> {
  const dice = new Dice(shard + 1);
  const bytes = slotBytes(stage.shape);
  const data = await readFile(stage.shardFile(dir, shard));
  await using file = await open(stage.shardFile(dir, shard), "r+");
  const torn = new Set<number>();
  while (torn.size < count) {
    const slot = dice.below((data.length - HEADER_BYTES) / bytes);
    const offset = HEADER_BYTES + slot * bytes;
    if (torn.has(slot) || (data.readUInt8(offset) & 3) !== 1) continue;
    torn.add(slot);
    // Byte 0 holds the status: a flip there is another slot, not a torn one.
    const at = offset + 1 + dice.below(8 + stage.shape.key + stage.shape.value - 1);
    await file.write(Uint8Array.of(data.readUInt8(at) ^ (1 << dice.below(8))), 0, 1, at);
  }
}
