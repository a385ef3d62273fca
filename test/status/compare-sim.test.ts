// A running follower compares itself with its leader, in simulated time and with leaders of all three generations: what was
// lost or went bad on disk is told and mended, what is merely on its way is not, and what stays different is told as such.

import { describe, expect, test } from "bun:test";
import { viewOf } from "../../src/bytes.ts";
import { slotOffset } from "../../src/format/shard-header.ts";
import { FollowerCompareRun } from "../../src/status/follower-compare.ts";
import { SIM_DIR, type SimFollower } from "../support/sim-follower.ts";
import { GENERATIONS, type Generation } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";

const SLOTS = 600;
const LIMIT_MS = 300_000;

interface Document {
  readonly verdict: string;
  readonly healed: boolean;
  readonly truncated: boolean;
  readonly shards: readonly Record<string, unknown>[];
  readonly differences: readonly { shard: number; slot: number; kind: string; healed: boolean }[];
}

class CompareStage {
  readonly stage: SimStage;
  readonly follower: SimFollower;
  readonly rows: { readonly done: number; readonly total: number }[] = [];

  constructor(generation: Generation, shards = 1) {
    this.stage = new SimStage({ generation, shards });
    for (let shard = 0; shard < shards; shard++) {
      for (let slot = 0; slot < SLOTS; slot++) this.stage.leader.put(shard, slot, 1);
    }
    this.follower = this.stage.follow();
    this.stage.until("live", () => this.#isLive(shards), 20_000);
    // Past the scan that follows the first one on generation 2, and quiet for a while.
    this.stage.clock.advance(30_000);
  }

  #isLive(shards: number): boolean {
    const { snapshots } = this.follower.supervisor;
    return snapshots.length === shards && snapshots.every(({ state }) => state === "live");
  }

  /** Compares; `meanwhile` is called each simulated second. */
  compare(options: { rounds?: number; meanwhile?: () => void; shards?: number[] } = {}): Document {
    const { clock } = this.stage;
    let document: Document | null = null;
    const { rounds = 2, meanwhile, shards = [0] } = options;
    const run = new FollowerCompareRun({
      supervisor: this.follower.supervisor,
      clock,
      order: { rounds, waitMs: 2_000, shards },
      progress: (rows) => void this.rows.push(...rows),
      done: (done) => {
        document = JSON.parse([...done.document()].join("")) as Document;
      },
    });
    run.start();
    if (meanwhile !== undefined) {
      for (let step = 0; document === null && step < LIMIT_MS / 100; step++) {
        meanwhile();
        clock.advance(100);
      }
    }
    this.stage.until("the document", () => document !== null, LIMIT_MS);
    return document as unknown as Document;
  }

  /** Changes bytes of a slot on the replica's disk, below the follower. */
  flip(slot: number, offset = 9): void {
    const { slotSize } = this.stage.leader.layout;
    this.stage.disk.flip(`${SIM_DIR}/shard_000/fixed.data`, slotOffset(slot, slotSize) + offset);
  }

  /** The bytes of a slot on the replica's disk. */
  slotOnDisk(slot: number): Uint8Array {
    const { slotSize } = this.stage.leader.layout;
    const bytes = this.stage.disk.bytes(`${SIM_DIR}/shard_000/fixed.data`) as Uint8Array;
    return bytes.slice(slotOffset(slot, slotSize), slotOffset(slot + 1, slotSize));
  }

  /** Puts other bytes there, below the follower. */
  lay(slot: number, bytes: Uint8Array): void {
    this.slotOnDisk(slot).forEach((byte, offset) => {
      const { slotSize } = this.stage.leader.layout;
      const at = slotOffset(slot, slotSize) + offset;
      const mask = byte ^ (bytes[offset] as number);
      if (mask !== 0) this.stage.disk.flip(`${SIM_DIR}/shard_000/fixed.data`, at, mask);
    });
  }

  wordOnDisk(slot: number): number {
    const bytes = this.stage.disk.bytes(`${SIM_DIR}/shard_000/fixed.data`) as Uint8Array;
    return viewOf(bytes).getUint32(slotOffset(slot, this.stage.leader.layout.slotSize), true);
  }
}

const found = ({ differences }: Document) =>
  differences.map(({ slot, kind, healed }) => `${slot} ${kind}${healed ? ", healed" : ""}`);

for (const generation of GENERATIONS) {
  describe(`compare by a follower of a generation ${generation} leader`, () => {
    test("finds nothing where nothing differs, and goes on following", () => {
      const compared = new CompareStage(generation);
      const document = compared.compare();
      expect(document).toMatchObject({ verdict: "same", healed: false, differences: [] });
      expect(document.shards).toEqual([
        { shard: 0, compared: 1000, whole: true, differs: 0, healed: 0, rescanned: 0 },
      ]);
      compared.stage.until("live again", () => compared.follower.shard().state === "live", 20_000);
      compared.stage.leader.put(0, 3, 9);
      compared.stage.clock.advance(1_000);
      compared.stage.expectEqual();
    });

    test("tells events that the leader lost, and mends them", () => {
      const compared = new CompareStage(generation);
      const { leader } = compared.stage;
      for (let slot = 100; slot < 150; slot++) leader.set(0, slot, 2, 7);
      leader.set(0, 700, 1, 7);
      const document = compared.compare();
      expect(document).toMatchObject({ verdict: "differs", healed: true });
      const lost = Array.from({ length: 50 }, (_, index) => `${100 + index} older, healed`);
      expect(found(document)).toEqual([...lost, "700 missing, healed"]);
      compared.stage.clock.advance(1_000);
      compared.stage.expectEqual();
      expect(compared.compare()).toMatchObject({ verdict: "same" });
    });

    test("tells bytes that went bad on disk below the follower, and writes them anew", () => {
      const compared = new CompareStage(generation);
      for (const slot of [5, 6, 599]) compared.flip(slot);
      // A slot whose word alone went bad: never used, for all that can be seen.
      compared.flip(42, 0);
      const document = compared.compare();
      expect(found(document)).toEqual([
        "5 missing, healed",
        "6 missing, healed",
        "42 missing, healed",
        "599 missing, healed",
      ]);
      compared.stage.clock.advance(1_000);
      compared.stage.expectEqual();
    });

    test("tells sound bytes on disk that are not the ones that were written, and writes them anew", () => {
      const compared = new CompareStage(generation);
      const { leader, clock } = compared.stage;
      const older = compared.slotOnDisk(7);
      leader.put(0, 7, 2);
      // Long enough for a leader of whom nothing may be on its way.
      clock.advance(30_000);
      // A write that the disk forgot, another slot's record, one where there never was any, and one that is gone.
      compared.lay(7, older);
      compared.lay(8, compared.slotOnDisk(9));
      compared.lay(700, compared.slotOnDisk(9));
      compared.lay(10, new Uint8Array(older.length));
      const document = compared.compare();
      expect(found(document)).toEqual([
        "7 older, healed",
        "8 value, healed",
        "10 missing, healed",
        "700 extra, healed",
      ]);
      clock.advance(1_000);
      compared.stage.expectEqual();
    });

    test("a leader that writes all the time is no difference", () => {
      const compared = new CompareStage(generation);
      const { leader } = compared.stage;
      let seed = 0;
      const write = () => {
        for (let each = 0; each < 3; each++) leader.put(0, (seed * 7) % 900, seed++);
      };
      for (let step = 0; step < 100; step++) {
        write();
        compared.stage.clock.advance(100);
      }
      const document = compared.compare({ meanwhile: write });
      expect([document.verdict, found(document)]).toEqual(["same", []]);
      compared.stage.clock.advance(10_000);
      compared.stage.expectEqual();
    });

    test("tells what is newer here and what the leader does not have, as standing", () => {
      const compared = new CompareStage(generation);
      const { leader } = compared.stage;
      leader.put(0, 10, 2);
      compared.stage.clock.advance(1_000);
      leader.set(0, 10, 1, 1);
      leader.forget(0, 12);
      const document = compared.compare();
      expect(document).toMatchObject({ verdict: "differs", healed: false });
      expect(found(document)).toEqual(["10 newer", "12 extra"]);
      expect(compared.wordOnDisk(10) >>> 2).toBe(2);
    });

    test("the same version with other bytes: told, and the leader's taken on protocol 2 alone", () => {
      const compared = new CompareStage(generation);
      compared.stage.leader.set(0, 11, 1, 5);
      const document = compared.compare();
      expect(found(document)).toEqual([generation === 1 ? "11 value" : "11 value, healed"]);
    });

    test("one round is one look", () => {
      const compared = new CompareStage(generation);
      compared.stage.leader.forget(0, 12);
      const scansBefore = compared.follower.shard().scansDone;
      expect(found(compared.compare({ rounds: 1 }))).toEqual(["12 extra"]);
      expect(compared.follower.shard().scansDone).toBeGreaterThan(scansBefore);
    });

    test("a deleted slot and one that was never used are no difference", () => {
      const compared = new CompareStage(generation);
      const { leader } = compared.stage;
      leader.remove(0, 20);
      compared.stage.clock.advance(1_000);
      leader.forget(0, 20);
      expect(compared.compare()).toMatchObject({ verdict: "same" });
    });
  });
}

describe("compare by the follower", () => {
  test("looks at every shard and tells differences by shard and slot", () => {
    const compared = new CompareStage(1, 3);
    const { leader } = compared.stage;
    for (const shard of [2, 0]) leader.set(shard, 30 + shard, 2, 7);
    const document = compared.compare({ shards: [0, 1, 2] });
    expect(document.differences.map(({ shard, slot }) => [shard, slot])).toEqual([
      [0, 30],
      [2, 32],
    ]);
    const one = compared.compare({ shards: [1] });
    expect(one.shards.map(({ shard }) => shard)).toEqual([1]);
  });

  test("a shard whose leader is gone is unknown within about a minute, with its reason", () => {
    const compared = new CompareStage(2);
    compared.stage.leader.stop();
    compared.stage.clock.advance(1_000);
    const startedMs = compared.stage.clock.nowMs();
    const document = compared.compare();
    expect(document.verdict).toBe("unknown");
    expect(String(document.shards[0]?.["reason"])).toContain("no new scan could begin within 60 s");
    expect(compared.stage.clock.nowMs() - startedMs).toBeLessThan(70_000);
  });

  test("a scan that breaks off is begun again, and given up after three", () => {
    const compared = new CompareStage(1);
    let cuts = 0;
    compared.stage.net.onConnection = (connection) => {
      cuts++;
      connection.toConnector.cutAt(2_000, "reset");
    };
    const document = compared.compare();
    expect(document.verdict).toBe("unknown");
    expect(String(document.shards[0]?.["reason"])).toContain("broke off 3 times");
    expect(cuts).toBe(3);
  });

  test("a shard whose thread dies meanwhile is unknown", () => {
    const compared = new CompareStage(2);
    let killed = false;
    const document = compared.compare({
      meanwhile: () => {
        if (!killed) compared.follower.killThread(0, "out of memory");
        killed = true;
      },
    });
    expect(document.verdict).toBe("unknown");
    expect(String(document.shards[0]?.["reason"])).toContain("out of memory");
  });

  test("a follower that is stopped meanwhile ends the comparison", () => {
    const compared = new CompareStage(2);
    const document = compared.compare({
      meanwhile: () => compared.follower.supervisor.stop(),
    });
    expect(document.verdict).toBe("unknown");
  });

  test("given up, it leaves the follower live, and another one can begin", () => {
    const compared = new CompareStage(1);
    const run = new FollowerCompareRun({
      supervisor: compared.follower.supervisor,
      clock: compared.stage.clock,
      order: { rounds: 2, waitMs: 0, shards: [0] },
      progress: () => {},
      done: () => {
        throw new Error("it was given up");
      },
    });
    run.start();
    compared.stage.clock.advance(5);
    run.stop();
    expect(compared.compare()).toMatchObject({ verdict: "same" });
    expect(compared.follower.shard().state).toBe("live");
  });

  test("a follower without a live stream tells what it lagged behind by, and is healed of it", () => {
    const stage = new SimStage({ generation: 1 });
    for (let slot = 0; slot < SLOTS; slot++) stage.leader.put(0, slot, 1);
    const thief = stage.follow();
    stage.until("live", () => thief.states().at(-1) === "live", 20_000);
    thief.kill();
    const compared = Object.create(CompareStage.prototype) as CompareStage;
    const follower = stage.follow();
    stage.until("polling", () => follower.states().at(-1) === "polling", 20_000);
    Object.assign(compared, { stage, follower, rows: [] });
    stage.leader.put(0, 5, 2);
    const document = compared.compare();
    expect([found(document), document.healed]).toEqual([["5 older, healed"], true]);
  });
});
