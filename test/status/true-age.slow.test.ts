// The lag that is shown against the true age of the replica, with real leaders: behind a cable that carries half of what is written,
// where it is never below the truth, and a few ms away from a busy leader, where it is never above 6 s. The truth is in the files: a
// record that is put again and again and holds the time of its put and of the next one.

import { describe, expect, test } from "bun:test";
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { viewOf } from "../../src/bytes.ts";
import { shardDirectory } from "../../src/format/routing.ts";
import { SHARD_FILE } from "../../src/format/shard-header.ts";
import { realNet } from "../../src/io/sockets.ts";
import { realClock } from "../../src/io/time.ts";
import { lineSockets } from "../../src/io/unix-socket.ts";
import { askForStatus } from "../../src/status/status-request.ts";
import { Armdb } from "../support/armdb.ts";
import { narrowCables, NetworkSpace } from "../support/network-space.ts";
import { ORACLE_VERSIONS, oracleAvailable, OracleDelay, OracleLeader } from "../support/oracle.ts";
import { TempRoot } from "../support/temp.ts";

const CABLE_SECONDS = 240;
const BUSY_SECONDS = 90;
const LIMIT_MS = (CABLE_SECONDS + 240) * 1000;
const LOOK_MS = 100;
const KEYS = 2_000;
const SHAPE = { shards: 1, prefixBits: 0, key: 32, value: 1000, growStep: 4_000 } as const;
const HEADER_BYTES = 4096;
const SLOT_BYTES = 1040;

/** The marked record in a replica's file. */
class Mark {
  readonly #file: number;
  readonly #valueOffset: number;

  constructor(dir: string, key: Uint8Array) {
    this.#file = openSync(join(dir, shardDirectory(0), SHARD_FILE), "r");
    const slot = Array.from({ length: SHAPE.growStep }, (_, each) => each).find(
      (each) => Buffer.compare(this.#read(HEADER_BYTES + each * SLOT_BYTES + 8, 32), key) === 0,
    );
    if (slot === undefined) throw new Error("the marked record is not here");
    this.#valueOffset = HEADER_BYTES + slot * SLOT_BYTES + 8 + SHAPE.key;
  }

  /** Since the next put, which has not come, was due; negative while it is not. */
  get ageMs(): number {
    const nextDueNs = viewOf(this.#read(this.#valueOffset, 16)).getBigUint64(8, true);
    return Date.now() - Number(nextDueNs / 1_000_000n);
  }

  close(): void {
    closeSync(this.#file);
  }

  #read(offset: number, bytes: number): Uint8Array {
    const buffer = new Uint8Array(bytes);
    readSync(this.#file, buffer, 0, bytes, offset);
    return buffer;
  }
}

interface Look {
  readonly ageMs: number;
  readonly shownMs: number;
}

async function looks(dir: string, marked: string, until: Promise<unknown>): Promise<Look[]> {
  const mark = new Mark(dir, Buffer.from(marked, "hex"));
  const found: Look[] = [];
  let isOver = false;
  void until.then(() => (isOver = true));
  while (!isOver) {
    const beforeMs = mark.ageMs;
    const answer = await askForStatus(lineSockets(realNet), realClock, join(dir, "armdb.sock"));
    if (answer.kind !== "status") throw new Error(answer.kind);
    const shownMs = answer.document.shards[0]?.lagMs ?? Number.POSITIVE_INFINITY;
    // What came while it was asked for makes the replica younger, and the answer may not know of it.
    found.push({ ageMs: Math.min(beforeMs, mark.ageMs), shownMs });
    await Bun.sleep(LOOK_MS);
  }
  mark.close();
  return found;
}

/** Follows a leader that puts so many records a second, with marks so far apart. */
async function measure(
  leader: OracleLeader,
  address: string,
  [putsPerSecond, seconds, markMs]: readonly [number, number, number],
  launcher: readonly string[],
): Promise<Look[]> {
  using temp = new TempRoot("true-age");
  const { marked } = await leader.rateMarked(1_000, 0.1, 1, KEYS, 1);
  const replica = temp.fresh("replica");
  await using follower = Armdb.replicate(address, replica, [], { launcher, limitMs: LIMIT_MS });
  await follower.line({ type: "shard", state: "live" });
  const load = leader.rateMarked(putsPerSecond, seconds, 7, KEYS, markMs);
  const found = await looks(replica, marked, load);
  expect((await follower.stop()).status).toBe(0);
  return found;
}

describe.if(oracleAvailable() && narrowCables())("the lag behind a cable of 480 kbit/s", () => {
  for (const version of ORACLE_VERSIONS) {
    test.concurrent(
      `is never below the true age for four minutes (${version})`,
      async () => {
        using temp = new TempRoot("cable");
        await using there = await NetworkSpace.make();
        await using here = await NetworkSpace.make();
        there.connect(here);
        there.narrow("480kbit", "50ms");
        const at = { dir: temp.fresh("leader"), listen: "10.9.0.1:7400", launcher: there.inside };
        await using leader = await OracleLeader.start({ ...SHAPE, version, ...at });
        // Some 110 KB a second, where the cable carries 60.
        const load = [100, CABLE_SECONDS, 100] as const;
        const found = await measure(leader, leader.address, load, here.inside);
        expect(Math.max(...found.map(({ ageMs }) => ageMs))).toBeGreaterThan(40_000);
        const allowedMs = 1_000 + 0.005 * CABLE_SECONDS * 1_000;
        for (const { ageMs, shownMs } of found) expect(shownMs).toBeGreaterThan(ageMs - allowedMs);
      },
      LIMIT_MS,
    );
  }
});

describe.if(oracleAvailable())("the lag a few ms away from a busy leader", () => {
  for (const version of ORACLE_VERSIONS) {
    // One after the other: what a loaded machine takes for a scan shows in the bound.
    test(
      `is never above 6 s for a minute and a half (${version})`,
      async () => {
        using temp = new TempRoot("busy");
        await using leader = await OracleLeader.start({ ...SHAPE, version, dir: temp.fresh() });
        await using away = await OracleDelay.start(leader.address, 2);
        const found = await measure(leader, away.address, [500, BUSY_SECONDS, 1], []);
        expect(Math.max(...found.map(({ shownMs }) => shownMs))).toBeLessThanOrEqual(6_000);
        expect(Math.max(...found.map(({ ageMs }) => ageMs))).toBeLessThanOrEqual(3_000);
      },
      LIMIT_MS,
    );
  }
});
