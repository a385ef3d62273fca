// A real leader of each generation that is closed at every tenth of the scan that compare or `repair --from` makes of it, its end handed
// on at once, after a retransmission and after some seconds: each ends with 12, and nothing was written.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync } from "node:fs";
import { slotLayout } from "../../src/format/slot.ts";
import { Armdb } from "../support/armdb.ts";
import { ORACLE_VERSIONS, oracleAvailable, type OracleVersion } from "../support/oracle.ts";
import { programEnv, programWords } from "../support/program.ts";
import { Proxy } from "../support/proxy.ts";
import { ReplicaStage } from "../support/replica-stage.ts";
import { contentsOf, DatabaseFiles } from "./repair-support.ts";

const LIMIT_MS = 240_000;
const RECORDS = 60_000;
/** Of an event: slot, meta, key and value. */
const EVENT_BYTES = 32;
const ONE_SHARD = { shards: 1, prefixBits: 0, key: 8, value: 16, growStep: 100_000 };
const LAYOUT = slotLayout(8, 16);
/** Four seconds for a whole scan. */
const SLOWLY = ["--limit-rate", "500KB", "--yes", "--json"];
const LOOK_MS = 10;

const WORDS: Readonly<Record<string, (dir: string, leader: string) => string[]>> = {
  compare: (dir, leader) => ["compare", dir, leader, ...SLOWLY],
  repair: (dir, leader) => ["repair", dir, "--from", leader, "--apply", ...SLOWLY],
};

async function statusOf(words: readonly string[]): Promise<number> {
  const child = Bun.spawn([...programWords(), ...words], {
    env: programEnv(),
    ...{ stdin: "ignore", stdout: "ignore", stderr: "ignore" },
  });
  return await child.exited;
}

const scanned = ({ records }: Proxy) =>
  records.reduce((sum, { bytesToFollower }) => sum + bytesToFollower, 0) / EVENT_BYTES;

describe.if(oracleAvailable())("a leader closed at every tenth of a scan", () => {
  const stages = new Map<OracleVersion, { stage: ReplicaStage; replica: string }>();

  beforeAll(async () => {
    for (const version of ORACLE_VERSIONS) {
      const stage = new ReplicaStage(version, ONE_SHARD);
      const leader = await stage.leader();
      await leader.fill(0, RECORDS, 1);
      const replica = stage.path("replica");
      await using follower = Armdb.replicate(leader.address, replica, ["--once"]);
      expect((await follower.ended()).status).toBe(0);
      await leader.close();
      // Something to repair.
      const files = new DatabaseFiles(replica, LAYOUT);
      files.poke(files.file(0), 4096 + 100 * LAYOUT.slotSize + 20, [0xff]);
      stages.set(version, { stage, replica });
    }
  }, LIMIT_MS);

  afterAll(async () => {
    for (const { stage } of stages.values()) await stage[Symbol.asyncDispose]();
  });

  const cases = Object.keys(WORDS).flatMap((command) =>
    ORACLE_VERSIONS.flatMap((version) =>
      [0, 300, 3_000].flatMap((lateMs) =>
        [1, 2, 3, 4, 5, 6, 7, 8, 9].map((tenth) => ({ command, version, lateMs, tenth })),
      ),
    ),
  );
  test.concurrent.each(cases)(
    "$command, $version, at $tenth/10, its end $lateMs ms late",
    async ({ command, version, lateMs, tenth }) => {
      const made = stages.get(version);
      if (made === undefined) throw new Error("no replica");
      await using stage = new ReplicaStage(version, ONE_SHARD);
      const leader = await stage.leader();
      await leader.fill(0, RECORDS, 1);
      await using proxy = await Proxy.start(leader.port, { toFollower: { finishDelayMs: lateMs } });
      const dir = stage.path("copy");
      cpSync(made.replica, dir, { recursive: true });
      const before = contentsOf(dir);
      const status = statusOf(WORDS[command]?.(dir, proxy.address) ?? []);
      while (scanned(proxy) < (RECORDS * tenth) / 10) await Bun.sleep(LOOK_MS);
      await leader.close();
      expect(await status).toBe(12);
      expect(contentsOf(dir)).toEqual(before);
    },
    LIMIT_MS,
  );
});
