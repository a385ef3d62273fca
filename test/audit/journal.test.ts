// The undo journal: entries there and back, every flipped bit and every cut noticed, and undo where things are not as the
// journal says.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import {
  decodeEntry,
  encodeEntry,
  type JournalEntry,
  journalFile,
} from "../../src/audit/repair/journal-format.ts";
import { JournalReader } from "../../src/audit/repair/journal-reader.ts";
import { writeJournal } from "../../src/audit/repair/journal-writer.ts";
import { type Change, PLACE_KINDS, type Place } from "../../src/audit/repair/changes.ts";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { ArmdbError } from "../../src/errors.ts";
import { STATUS_OCCUPIED } from "../../src/format/slot.ts";
import type { Disk } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { contentsOf, FixtureCopy, journalsIn, runWords, TempDirectory } from "./repair-support.ts";

const seed = Number(process.env["ARMDB_TEST_SEED"] ?? 20_260_131);

const place: fc.Arbitrary<Place> = fc.record({
  kind: fc.constantFrom(...PLACE_KINDS),
  shard: fc.integer({ min: 0, max: 254 }),
});
const attributes = fc.record({
  uid: fc.option(fc.nat(70_000)),
  gid: fc.nat(70_000),
  mode: fc.integer({ min: 0, max: 0o777 }),
});
const bytes = fc.uint8Array({ maxLength: 200 });
const offset = fc.maxSafeNat();
const entry: fc.Arbitrary<JournalEntry> = fc.oneof(
  fc.record({ kind: fc.constant("write" as const), place, offset, before: bytes }).map((write) => ({
    ...write,
    after: write.before.map((byte) => byte ^ 0xff),
  })),
  fc.record({
    kind: fc.constant("resize" as const),
    place,
    bytesBefore: offset,
    bytesAfter: offset,
  }),
  fc.record({ kind: fc.constant("remove" as const), place, bytes: offset, attributes }),
  fc.record({ kind: fc.constant("contents" as const), place, offset, before: bytes }),
  fc.record({
    kind: fc.constantFrom("create" as const, "make-directory" as const),
    place,
    attributes,
  }),
  fc.record({
    kind: fc.constantFrom("fill" as const, "rename-new" as const),
    shard: fc.integer({ min: 0, max: 254 }),
  }),
  fc.record({ kind: fc.constantFrom("sync" as const, "sync-directory" as const), place }),
  fc.constant({ kind: "end" as const }),
);

describe("journal entries", () => {
  test("come back as they were", () => {
    fc.assert(
      fc.property(entry, fc.nat(0xffff_ffff), (written, sequence) => {
        expect(decodeEntry(encodeEntry(written, sequence), sequence)).toEqual(written);
      }),
      { seed, numRuns: 2_000 },
    );
  });

  test("with any one bit flipped, or in another place of the sequence, are refused", () => {
    fc.assert(
      fc.property(entry, fc.nat(1000), fc.nat(), (written, sequence, where) => {
        const encoded = encodeEntry(written, sequence);
        expect(decodeEntry(encoded, sequence + 1)).toBe("sequence");
        const bit = where % (encoded.length * 8);
        encoded[bit >> 3] = (encoded[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(decodeEntry(encoded, sequence)).toBeString();
      }),
      { seed, numRuns: 5_000 },
    );
  });

  test("any bytes at all decode to an entry or a reason", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        expect(decodeEntry(noise, 0)).toBeString();
      }),
      { seed, numRuns: 2_000 },
    );
  });
});

const PLAIN = { uid: null, gid: 0, mode: 0o644 };

/** A journal of two writes over a small file. */
function smallJournal(root: string): string {
  writeFileSync(`${root}/db.meta`, "0123456789abcdef");
  const change = (start: number): Change => ({
    kind: "write",
    place: { kind: "meta", shard: 0 },
    offset: start,
    before: new Uint8Array(Buffer.from("0123456789abcdef".slice(start, start + 4))),
    after: new Uint8Array(4),
  });
  return writeJournal(realDisk, root, [change(0), change(8)], PLAIN, 1_800_000_000_000).path;
}

/** What a reader makes of these bytes. */
function outcome(path: string, contents: Uint8Array): string {
  writeFileSync(path, contents);
  try {
    const reader = JournalReader.open(realDisk, path);
    reader.close();
    return reader.isComplete ? "complete" : "cut";
  } catch (thrown) {
    if (thrown instanceof ArmdbError) return thrown.code;
    throw thrown;
  }
}

describe("a journal file", () => {
  test("is made anew, for its owner only, and named by its time", () => {
    using directory = new TempDirectory();
    const path = smallJournal(directory.path);
    expect(path).toBe(`${directory.path}/${journalFile(1_800_000_000_000)}`);
    expect(path).toEndWith("/armdb-undo-20270115T080000000Z.journal");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    // A second one in the same millisecond does not touch the first.
    expect(smallJournal(directory.path)).toEndWith("/armdb-undo-20270115T080000001Z.journal");
  });

  test("with any one bit flipped is refused, unless the bit is none that counts", () => {
    using directory = new TempDirectory();
    const path = smallJournal(directory.path);
    const sound = new Uint8Array(readFileSync(path));
    expect(outcome(path, sound)).toBe("complete");
    for (let bit = 0; bit < sound.length * 8; bit++) {
      const flipped = sound.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      // A length that points past the end cannot be told from a cut; undo then looks at the files (below).
      const expected = ["usage", "damaged", "cut"];
      expect({ bit, among: expected.includes(outcome(path, flipped)) }).toEqual({
        bit,
        among: true,
      });
    }
  });

  test("cut anywhere is known to be cut, or is no journal at all", () => {
    using directory = new TempDirectory();
    const path = smallJournal(directory.path);
    const sound = new Uint8Array(readFileSync(path));
    for (let length = 0; length < sound.length; length++) {
      expect({ length, is: outcome(path, sound.slice(0, length)) }).toEqual({ length, is: "cut" });
    }
    const zeros = new Uint8Array(sound.length + 4096);
    zeros.set(sound.subarray(0, 120));
    expect(outcome(path, zeros)).toBe("damaged");
  });

  test("is not written over files that have changed since the plan", () => {
    using directory = new TempDirectory();
    smallJournal(directory.path);
    const change: Change = {
      kind: "write",
      place: { kind: "meta", shard: 0 },
      offset: 0,
      before: new Uint8Array([1]),
      after: new Uint8Array([2]),
    };
    const before = contentsOf(directory.path);
    expect(() => writeJournal(realDisk, directory.path, [change], PLAIN, 1)).toThrow(
      "has changed since",
    );
    expect(contentsOf(directory.path)).toEqual(before);
    expect(journalsIn(directory.path)).toHaveLength(1);
  });
});

test("a journal that is given up is removed, whatever was thrown", () => {
  using directory = new TempDirectory();
  const meta = `${directory.path}/db.meta`;
  writeFileSync(meta, "0123456789abcdef");
  const change: Change = { kind: "remove", place: { kind: "meta", shard: 0 }, bytes: 16 };
  const before = contentsOf(directory.path);
  // The file goes away once the journal has been begun.
  let isBegun = false;
  const open: Disk["open"] = (path, mode, permissions) => {
    isBegun ||= mode === "create";
    return realDisk.open(path, mode, permissions);
  };
  const facts: Disk["facts"] = (path) => (isBegun && path === meta ? null : realDisk.facts(path));
  const disk: Disk = { ...realDisk, open, facts };
  expect(() => writeJournal(disk, directory.path, [change], PLAIN, 1)).toThrow("has changed since");
  expect(isBegun).toBe(true);
  expect(journalsIn(directory.path)).toEqual([]);
  expect(contentsOf(directory.path)).toEqual(before);
});

/** A repaired copy with one slot set right, and its journal. */
async function repaired(): Promise<{ copy: FixtureCopy; journal: string; slot: number }> {
  const copy = new FixtureCopy("8x16-2-shards", "follower-clean");
  const slot = copy.slotsOf(0, STATUS_OCCUPIED)[3] ?? 0;
  copy.setMeta(0, slot, 3, 1);
  expect((await runWords(repairCommand, [copy.path, "--apply", "--yes"])).status).toBe(0);
  return { copy, journal: journalsIn(copy.path)[0] ?? "", slot };
}

describe("undo", () => {
  test("is refused when the files changed after the repair, and --force overwrites that", async () => {
    const { copy, journal, slot } = await repaired();
    using _ = copy;
    copy.setSlot(0, slot, new Uint8Array(copy.layout.slotSize).fill(0x11));
    const changed = contentsOf(copy.path);
    const refused = await runWords(repairCommand, [copy.path, "--undo", journal]);
    expect(refused.status).toBe(5);
    expect(refused.error?.details.hint).toContain("--force");
    expect(contentsOf(copy.path)).toEqual(changed);
    const forced = await runWords(repairCommand, [copy.path, "--undo", journal, "--force"]);
    expect(forced.status).toBe(0);
    expect(copy.slotBytes(0, slot)[0]).toBe((1 << 2) | 3);
  });

  test("of a damaged journal, or of one that lost its end after the repair, changes nothing", async () => {
    const { copy, journal } = await repaired();
    using _ = copy;
    const before = contentsOf(copy.path);
    const sound = readFileSync(journal);
    const damaged = Uint8Array.from(sound);
    damaged[100] = (damaged[100] ?? 0) ^ 1;
    for (const contents of [damaged, sound.subarray(0, sound.length - 1)]) {
      writeFileSync(journal, contents);
      expect((await runWords(repairCommand, [copy.path, "--undo", journal])).status).toBe(3);
    }
    writeFileSync(journal, "no journal");
    expect((await runWords(repairCommand, [copy.path, "--undo", journal])).status).toBe(2);
    expect(contentsOf(copy.path)).toEqual(before);
  });

  test("does not go with other options, and asks on a terminal", async () => {
    const { copy, journal } = await repaired();
    using _ = copy;
    const before = contentsOf(copy.path);
    const words = [copy.path, "--undo", journal];
    expect((await runWords(repairCommand, [...words, "--apply"])).status).toBe(2);
    const no = await runWords(repairCommand, words, { confirm: () => Promise.resolve(false) });
    expect(no.status).toBe(3);
    expect(contentsOf(copy.path)).toEqual(before);
  });

  test("asks with a name that cannot steer the terminal", async () => {
    const { copy, journal } = await repaired();
    using _ = copy;
    const renamed = `${copy.path}/j\x1b]0;title\x07.journal`;
    renameSync(journal, renamed);
    const words = [copy.path, "--undo", renamed];
    const { said } = await runWords(repairCommand, words, {
      confirm: () => Promise.resolve(false),
    });
    const asked = said.filter((text) => text.startsWith("ask: ")).join();
    expect(asked).toContain("j\\x1b]0;title\\x07.journal");
    expect([...asked].filter((char) => char < " ")).toEqual([]);
  });

  test("while another process holds the directory is refused with 11", async () => {
    const { copy, journal } = await repaired();
    using _ = copy;
    const before = contentsOf(copy.path);
    const lock = realDisk.open(`${copy.path}/db.lock`, "write");
    expect(lock.lock("exclusive")).toBe(true);
    expect((await runWords(repairCommand, [copy.path, "--undo", journal])).status).toBe(11);
    lock.close();
    expect(contentsOf(copy.path)).toEqual(before);
  });
});
