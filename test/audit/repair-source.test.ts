// armdb repair --from: a second directory, our own leader, a leader of protocol 1 by script. After it the contents are the
// source's, and nothing else has changed.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { compareCommand } from "../../src/cli/commands/compare.ts";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import {
  decodeSlot,
  packMeta,
  slotCrc,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_OCCUPIED,
} from "../../src/format/slot.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { ServedDirectory } from "../../src/serve/served-database.ts";
import { Stage } from "../serve/stage.ts";
import { goodScript, scriptedSlot } from "../support/leader-scripts.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";
import { ScriptedLeader } from "../support/scripted-leader.ts";
import { DAMAGES } from "./repair-damages.ts";
import {
  contentsOf,
  drive,
  FixtureCopy,
  FIXTURES,
  journalsIn,
  runWords,
  TempDirectory,
} from "./repair-support.ts";

const NAME = "8x16-2-shards";

/** Damage that takes records away: what a source is for. Cursors and sidecars mend themselves. */
const TAKES_RECORDS = DAMAGES.filter(
  (damage) => damage.keepsContents !== true && damage.isForged !== true,
);

/** Slots in which two files differ. */
function changedSlots(before: Uint8Array, after: Uint8Array, slotSize: number): number[] {
  const slots: number[] = [];
  const bytes = Math.max(before.length, after.length);
  for (let start = 4096, slot = 0; start < bytes; start += slotSize, slot++) {
    const left = before.subarray(start, start + slotSize);
    const right = after.subarray(start, start + slotSize);
    if (Buffer.compare(left, right) !== 0) slots.push(slot);
  }
  return slots;
}

function isSame(here: FixtureCopy, there: FixtureCopy) {
  return runWords(compareCommand, [here.path, there.path, "--json", "--wait", "0"]);
}

for (const name of FIXTURES) {
  const shards = name === "32x1000-1-shard" ? 1 : 2;
  describe(`repair of a replica, ${name}`, () => {
    for (const damage of TAKES_RECORDS.filter((each) => (each.shardsMin ?? 1) <= shards)) {
      test(`from a directory: ${damage.name}`, async () => {
        using copy = new FixtureCopy(name, "follower-clean");
        using source = new FixtureCopy(name, "leader-clean");
        damage.harm(copy);
        const harmed = contentsOf(copy.path);
        const sourceBefore = contentsOf(source.path);
        const words = [copy.path, "--from", source.path, "--json"];
        const planned = await runWords(repairCommand, words);
        expect([planned.status, planned.document["verdict"]]).toEqual([3, "planned"]);
        expect(contentsOf(copy.path)).toEqual(harmed);
        const applied = await runWords(repairCommand, [...words, "--apply", "--yes"]);
        expect([applied.status, applied.document["verdict"]]).toEqual([0, "repaired"]);
        const compared = await isSame(copy, source);
        expect([compared.status, compared.document["differences"]]).toEqual([0, []]);
        expect(contentsOf(source.path)).toEqual(sourceBefore);
        const again = await runWords(repairCommand, [...words, "--apply", "--yes"]);
        expect([again.status, again.document["verdict"]]).toEqual([0, "nothing-to-do"]);
        const [journal = ""] = journalsIn(copy.path);
        expect((await runWords(repairCommand, [copy.path, "--undo", journal])).status).toBe(0);
        expect(contentsOf(copy.path)).toEqual(harmed);
        const twice = await runWords(repairCommand, [copy.path, "--undo", journal]);
        expect(twice.lines.join()).toContain("nothing to do");
      });

      test(`from our own leader: ${damage.name}`, async () => {
        using copy = new FixtureCopy(name, "follower-clean");
        using source = new FixtureCopy(name, "leader-clean");
        damage.harm(copy);
        const served = ServedDirectory.open(realDisk, source.path);
        const { clock, net, server } = new Stage(served);
        const words = [
          copy.path,
          "--from",
          `127.0.0.1:${server.port}`,
          "--apply",
          "--yes",
          "--json",
        ];
        const applied = await drive(clock, runWords(repairCommand, words, { clock, net }));
        served.close();
        expect([applied.status, applied.document["verdict"]]).toEqual([0, "repaired"]);
        const compared = await isSame(copy, source);
        expect([compared.status, compared.document["differences"]]).toEqual([0, []]);
      });
    }
  });
}

describe("repair --from", () => {
  test("only the slots that need it are written", async () => {
    using copy = new FixtureCopy(NAME, "follower-clean");
    using source = new FixtureCopy(NAME, "leader-clean");
    const slots = copy.slotsOf(0, STATUS_OCCUPIED);
    const [bad = 0, older = 0, newer = 0] = slots;
    const { keyLen } = copy.layout;
    copy.setSlot(
      0,
      bad,
      copy.slotBytes(0, bad).map((byte, at) => (at === 8 + keyLen ? ~byte : byte)),
    );
    source.rewrite(0, older, 700, 1);
    copy.rewrite(0, newer, 700, 2);
    const before = readFileSync(copy.file(0));
    const words = [copy.path, "--from", source.path, "--apply", "--yes", "--json"];
    const { status, document } = await runWords(repairCommand, words);
    expect(status).toBe(0);
    // What is newer here is not for a repair to decide; it is said.
    expect(changedSlots(before, readFileSync(copy.file(0)), copy.layout.slotSize)).toEqual([
      bad,
      older,
    ]);
    expect(JSON.stringify(document["notes"])).toContain("1 sound slots are not what");
    expect(document["lostKeys"]).toEqual([]);
    expect(copy.slotBytes(0, older)).toEqual(source.slotBytes(0, older));
    expect(decodeSlot(copy.slotBytes(0, newer), copy.layout).version).toBe(700);
  });

  test("with --plan nothing but what the report names is fetched", async () => {
    using copy = new FixtureCopy(NAME, "follower-clean");
    using source = new FixtureCopy(NAME, "leader-clean");
    const [bad = 0, older = 0] = copy.slotsOf(0, STATUS_OCCUPIED);
    const { slotSize } = copy.layout;
    copy.setMeta(0, bad, 3, 1);
    source.rewrite(0, older, 700, 1);
    const finding = {
      kind: "slot-status",
      severity: "damage",
      shard: 0,
      slot: bad,
      offset: String(4096 + bad * slotSize),
      count: 1,
      message: "",
    };
    using reports = new TempDirectory();
    const report = `${reports.path}/report.json`;
    writeFileSync(report, JSON.stringify({ schema: 1, command: "verify", findings: [finding] }));
    const before = readFileSync(copy.file(0));
    const words = [copy.path, "--from", source.path, "--plan", report, "--apply", "--yes"];
    expect((await runWords(repairCommand, words)).status).toBe(0);
    expect(changedSlots(before, readFileSync(copy.file(0)), slotSize)).toEqual([bad]);
  });

  test("outside a replica no version goes back: an older record comes in the version after the slot's", async () => {
    using copy = new FixtureCopy(NAME, "leader-clean");
    using source = new FixtureCopy(NAME, "follower-clean");
    const slot = copy.slotsOf(0, STATUS_OCCUPIED)[3] ?? 0;
    const record = decodeSlot(source.slotBytes(0, slot), source.layout);
    copy.setMeta(0, slot, STATUS_OCCUPIED, record.version + 5);
    const words = [copy.path, "--from", source.path, "--apply", "--yes"];
    expect((await runWords(repairCommand, words)).status).toBe(0);
    const bytes = copy.slotBytes(0, slot);
    const mended = decodeSlot(bytes, copy.layout);
    expect([mended.version, mended.key, mended.value]).toEqual([
      record.version + 6,
      record.key,
      record.value,
    ]);
    expect(mended.crcStored).toBe(slotCrc(bytes, copy.layout));
  });

  test("a slot that the source cannot vouch for either is not taken from it", async () => {
    using copy = new FixtureCopy(NAME, "follower-clean");
    using source = new FixtureCopy(NAME, "leader-clean");
    const slot = copy.slotsOf(0, STATUS_OCCUPIED)[3] ?? 0;
    for (const each of [copy, source])
      each.setSlot(
        0,
        slot,
        each.slotBytes(0, slot).map((byte, at) => (at === 9 ? ~byte : byte)),
      );
    const words = [copy.path, "--from", source.path, "--apply", "--yes", "--json"];
    const { status, document } = await runWords(repairCommand, words);
    expect([status, document["verdict"]]).toEqual([3, "incomplete"]);
    expect(document["unsure"]).toEqual([{ shard: 0, count: 1 }]);
    expect(document["lostKeys"]).toMatchObject([{ shard: 0, slot }]);
    expect(document["notes"]).toEqual([`shard 0: 1 slot is damaged at "${source.path}" itself`]);
    expect(copy.slotBytes(0, slot).every((byte) => byte === 0)).toBe(true);
  });

  test("a doubled key is settled by the source", async () => {
    using copy = new FixtureCopy(NAME, "leader-clean");
    using source = new FixtureCopy(NAME, "follower-clean");
    const [first = 0, second = 0] = copy.slotsOf(0, STATUS_OCCUPIED);
    copy.setSlot(0, second, copy.slotBytes(0, first));
    const words = [copy.path, "--from", source.path, "--apply", "--yes"];
    expect((await runWords(repairCommand, words)).status).toBe(0);
    const records = (each: FixtureCopy) => {
      const { key, value } = decodeSlot(each.slotBytes(0, second), each.layout);
      return [key, value];
    };
    expect(records(copy)).toEqual(records(source));
  });

  test("a source that is another database is refused, with nothing written", async () => {
    using copy = new FixtureCopy(NAME, "follower-clean");
    using other = new FixtureCopy("4x3-3-shards-padded", "leader-clean");
    using stranger = new FixtureCopy(NAME, "leader-clean");
    for (const shard of [0, 1]) {
      for (const slot of stranger.slotsOf(shard, STATUS_OCCUPIED)) {
        const { version } = decodeSlot(stranger.slotBytes(shard, slot), stranger.layout);
        stranger.rewrite(shard, slot, version, 0x77);
      }
    }
    copy.setMeta(0, copy.slotsOf(0, STATUS_OCCUPIED)[0] ?? 0, 3, 1);
    const harmed = contentsOf(copy.path);
    for (const source of [other, stranger]) {
      const words = [copy.path, "--from", source.path, "--apply", "--yes"];
      const { status } = await runWords(repairCommand, words);
      expect(status).toBe(13);
    }
    expect((await runWords(repairCommand, [copy.path, "--from", copy.path])).status).toBe(2);
    expect(contentsOf(copy.path)).toEqual(harmed);
    expect(journalsIn(copy.path)).toEqual([]);
  });

  test("a healthy directory asks no leader anything", async () => {
    using copy = new FixtureCopy(NAME, "follower-clean");
    const clock = new ManualClock();
    const net = new MemoryNet(clock);
    const words = [copy.path, "--from", "127.0.0.1:7400", "--apply", "--yes"];
    expect((await runWords(repairCommand, words, { clock, net })).status).toBe(0);
    expect(net.connects).toBe(0);
  });

  test("a leader of protocol 1 is asked for its stream only with --yes", async () => {
    using copy = new FixtureCopy(NAME, "follower-clean");
    using source = new FixtureCopy(NAME, "leader-clean");
    const slot = copy.slotsOf(0, STATUS_OCCUPIED)[2] ?? 0;
    copy.setMeta(0, slot, 3, 1);
    const clock = new ManualClock();
    const net = new MemoryNet(clock);
    const slots = (shard: number) =>
      [...source.slotsOf(shard, STATUS_OCCUPIED), ...source.slotsOf(shard, STATUS_DELETED)]
        .sort((left, right) => left - right)
        .map((each) => {
          const { meta, key, value } = decodeSlot(source.slotBytes(shard, each), source.layout);
          return scriptedSlot(each, meta, source.layout, key, value);
        });
    const info = { ...source.layout, shardCount: 2, shardPrefixBits: 0, slotCount: 128 };
    const leader = new ScriptedLeader(net, clock, () => goodScript({ info, protocol: 1, slots }));
    const words = [copy.path, "--from", leader.address, "--json"];
    const refused = await drive(clock, runWords(repairCommand, words, { clock, net }));
    expect(refused.status).toBe(2);
    expect(leader.requests.map((request) => request.protocolVersion)).toEqual([0]);
    const all = [...words, "--apply", "--yes"];
    const applied = await drive(clock, runWords(repairCommand, all, { clock, net }));
    expect(applied.status).toBe(0);
    // Only the damaged shard was scanned.
    const scans = leader.requests.filter((request) => request.protocolVersion !== 0);
    expect(scans.map((request) => request.shardId)).toEqual([0]);
    expect(copy.slotBytes(0, slot)).toEqual(source.slotBytes(0, slot));
    leader.stop();
  });

  test("the header of a single shard comes from the source, its slots in the next run", async () => {
    using copy = new FixtureCopy("32x1000-1-shard", "follower-clean");
    using source = new FixtureCopy("32x1000-1-shard", "leader-clean");
    copy.poke(copy.file(0), 0, new Uint8Array(4096));
    const alone = await runWords(repairCommand, [copy.path, "--apply", "--yes", "--json"]);
    expect(alone.status).not.toBe(0);
    const words = [copy.path, "--from", source.path, "--apply", "--yes", "--json"];
    const { status, document } = await runWords(repairCommand, words);
    expect([status, document["verdict"]]).toEqual([0, "repaired"]);
    expect((await isSame(copy, source)).status).toBe(0);
  });

  test("a slot that the source does not have becomes what it is without a source", async () => {
    using copy = new FixtureCopy(NAME, "leader-clean");
    using source = new FixtureCopy(NAME, "follower-clean");
    const slot = copy.slotsOf(0, STATUS_OCCUPIED)[3] ?? 0;
    source.setSlot(0, slot, new Uint8Array(source.layout.slotSize));
    copy.setSlot(
      0,
      slot,
      copy.slotBytes(0, slot).map((byte, at) => (at === 9 ? ~byte : byte)),
    );
    const { version } = decodeSlot(copy.slotBytes(0, slot), copy.layout);
    const words = [copy.path, "--from", source.path, "--apply", "--yes"];
    expect((await runWords(repairCommand, words)).status).toBe(0);
    const { meta } = decodeSlot(copy.slotBytes(0, slot), copy.layout);
    expect(meta).toBe(packMeta(STATUS_FREE, version));
  });
});
