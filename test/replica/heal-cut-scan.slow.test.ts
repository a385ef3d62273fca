// A real leader of each generation that is closed at every tenth of a scan, its end handed on at once, after a retransmission, after
// some seconds, and so late that everything else comes first: never exit 0, never ready, and the copy is known to be broken off.

import { afterAll, describe, expect, test } from "bun:test";
import { ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";
import { Proxy } from "../support/proxy.ts";
import { ReplicaStage } from "../support/replica-stage.ts";
import { scannedSlots } from "../support/follow-stage.ts";

const LIMIT_MS = 240_000;
const RECORDS = 60_000;
const ONE_SHARD = { shards: 1, prefixBits: 0, key: 8, value: 16, growStep: 100_000 };
/** Six seconds for a whole scan. */
const SLOW = ["--once", "--limit-rate", "500KB", "--window", "0", "--timeout", "3s"];
const TENTHS = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const LATE_MS = [0, 300, 3_000, 30_000];

const seen: string[] = [];

describe.if(oracleAvailable())("a leader closed at every tenth of a scan", () => {
  const cases = ORACLE_VERSIONS.flatMap((version) =>
    LATE_MS.flatMap((lateMs) => TENTHS.map((tenth) => ({ version, lateMs, tenth }))),
  );
  test.concurrent.each(cases)(
    "$version, at $tenth/10, its end $lateMs ms late",
    async ({ version, lateMs, tenth }) => {
      await using stage = new ReplicaStage(version, ONE_SHARD);
      const leader = await stage.leader();
      await leader.fill(0, RECORDS, 1);
      await using proxy = await Proxy.start(leader.port, { toFollower: { finishDelayMs: lateMs } });
      const dir = stage.path("replica");
      const follower = stage.follower(proxy, dir, [...SLOW, "--progress", "100ms"]);
      await scannedSlots(follower, 1, (RECORDS * tenth) / 10);
      await leader.close();
      const run = await follower.ended();
      expect(run.status).toBe(12);
      expect(run.lines.filter(({ type }) => type === "ready" || type === "caught-up")).toEqual([]);
      const state = await Bun.file(`${dir}/armdb.state.json`).json();
      expect(state).toMatchObject({ shards: [{ complete: false, lastFullScanAtMs: null }] });
      seen.push(`${version} ${tenth} ${lateMs}`);
    },
    LIMIT_MS,
  );

  afterAll(() => expect(new Set(seen).size).toBe(cases.length));
});
