// Flips every bit of a slot of each kind, of a header and of db.meta, one at a time, and holds what verify says against
// docs/undetectable.md: whatever is not found as damage stands there with the reason. `ARMDB_WRITE_DOCS=1 bun test
// test/audit/bit-flips.test.ts` writes the file anew.

import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { FindingList } from "../../src/audit/findings.ts";
import { checkHeader } from "../../src/audit/header-check.ts";
import { readDirectory } from "../../src/audit/directory.ts";
import { ArmdbError } from "../../src/errors.ts";
import { decodeShardHeader } from "../../src/format/shard-header.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { SampleDatabase, type Shape, type State, verify } from "./sample-databases.ts";

const DOCUMENT = join(import.meta.dir, "../../docs/undetectable.md");
const DATA = "shard_000/fixed.data";

interface Field {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
}

/** Something whose bits are flipped. */
interface Target {
  /** As the document calls it. */
  readonly name: string;
  readonly shape: Shape;
  readonly state: State;
  readonly file: string;
  readonly offset: number;
  readonly fields: readonly Field[];
  prepare?(db: SampleDatabase): void;
}

const META_FIELDS: readonly Field[] = [
  { name: "magic", offset: 0, bytes: 4 },
  { name: "version", offset: 4, bytes: 1 },
  { name: "backend", offset: 5, bytes: 1 },
  { name: "shard_count", offset: 6, bytes: 1 },
  { name: "shard_prefix_bits", offset: 7, bytes: 1 },
  { name: "flags", offset: 8, bytes: 1 },
  { name: "reserved", offset: 9, bytes: 7 },
];

const HEADER_FIELD_LIST: readonly Field[] = [
  { name: "magic", offset: 0, bytes: 4 },
  { name: "version", offset: 4, bytes: 2 },
  { name: "slot_size", offset: 6, bytes: 2 },
  { name: "slot_count", offset: 8, bytes: 4 },
  { name: "key_len", offset: 12, bytes: 2 },
  { name: "value_len", offset: 14, bytes: 2 },
  { name: "shard_id", offset: 16, bytes: 1 },
  { name: "clean_shutdown", offset: 17, bytes: 1 },
];

function slotFields(keyLen: number, valueLen: number, slotSize: number): Field[] {
  const fields = [
    { name: "meta", offset: 0, bytes: 4 },
    { name: "crc32", offset: 4, bytes: 4 },
    { name: "key", offset: 8, bytes: keyLen },
    { name: "value", offset: 8 + keyLen, bytes: valueLen },
  ];
  const end = 8 + keyLen + valueLen;
  return end === slotSize
    ? fields
    : [...fields, { name: "padding", offset: end, bytes: slotSize - end }];
}

const SHAPES_FLIPPED = [
  { shape: "8x16-2-shards", fields: slotFields(8, 16, 32), slotSize: 32, neverUsed: 127 },
  { shape: "4x3-3-shards-padded", fields: slotFields(4, 3, 16), slotSize: 16, neverUsed: 127 },
] as const;

/** The first slot of shard 0 with this status. */
function slotOfStatus(shape: Shape, state: State, slotSize: number, status: number): number {
  using db = new SampleDatabase(shape, state);
  const bytes = db.read(DATA);
  for (let slot = 0; ; slot++)
    if ((bytes.readUInt8(4096 + slot * slotSize) & 3) === status) return slot;
}

function slotTargets(): Target[] {
  return SHAPES_FLIPPED.flatMap(({ shape, fields, slotSize }) =>
    (["leader-dirty", "leader-clean"] as const).flatMap((state) => {
      const at = (slot: number) => ({
        shape,
        state,
        file: DATA,
        fields,
        offset: 4096 + slot * slotSize,
      });
      const count = new SampleDatabase(shape, state);
      const lastSlot = (count.read(DATA).length - 4096) / slotSize - 1;
      count[Symbol.dispose]();
      const closed = state === "leader-clean" ? "closed clean" : "not closed clean";
      const targets: Target[] = [
        { ...at(slotOfStatus(shape, state, slotSize, 1)), name: `OCCUPIED slot, ${closed}` },
        { ...at(slotOfStatus(shape, state, slotSize, 2)), name: `DELETED slot, ${closed}` },
        { ...at(lastSlot), name: `never-used slot, ${closed}` },
      ];
      if (state === "leader-dirty") {
        // As a follower holds a deleted slot that it never saw alive.
        const prepare = (db: SampleDatabase) =>
          db.change(DATA, (bytes) => bytes.writeUInt32LE((3 << 2) | 2, 4096 + lastSlot * slotSize));
        targets.push({
          ...at(lastSlot),
          name: "DELETED slot of a follower that never held it",
          prepare,
        });
      }
      return targets;
    }),
  );
}

function headerTargets(): Target[] {
  return (["8x16-2-shards", "4x3-3-shards-padded", "16x100-4-shards-prefix-12"] as const).flatMap(
    (shape) =>
      (["leader-dirty", "leader-clean"] as const).map((state) => ({
        name: `header, ${state === "leader-clean" ? "closed clean" : "not closed clean"}`,
        shape,
        state,
        file: DATA,
        offset: 0,
        fields: HEADER_FIELD_LIST,
      })),
  );
}

function metaTargets(): Target[] {
  const of = (shape: Shape, name: string) => ({
    name,
    shape,
    state: "leader-dirty" as const,
    file: "db.meta",
    offset: 0,
    fields: META_FIELDS,
  });
  return [
    of("8x16-2-shards", "db.meta, several shards"),
    of("4x3-3-shards-padded", "db.meta, several shards"),
    of("16x100-4-shards-prefix-12", "db.meta, several shards, prefix bits"),
    of("32x1000-1-shard", "db.meta, one shard"),
  ];
}

/** What verify says, each finding as one text; an error by its code. */
async function saidOf(
  db: SampleDatabase,
): Promise<{ damage: Set<string>; notes: Map<string, string> }> {
  try {
    const { findings } = await verify(db.path);
    const damage = new Set<string>();
    const notes = new Map<string, string>();
    for (const finding of findings) {
      if (finding.severity !== "note") damage.add(finding.kind);
      else notes.set(finding.kind, JSON.stringify(finding));
    }
    return { damage, notes };
  } catch (thrown) {
    if (!(thrown instanceof ArmdbError)) throw thrown;
    return { damage: new Set([`refused: ${thrown.code}`]), notes: new Map() };
  }
}

type Outcome = "damage" | `note ${string}` | "nothing";

/** Flips one bit, asks verify, and puts it back. */
async function flip(
  db: SampleDatabase,
  target: Target,
  byte: number,
  bit: number,
  before: Map<string, string>,
): Promise<Outcome> {
  db.flipBit(target.file, target.offset + byte, bit);
  const { damage, notes } = await saidOf(db);
  db.flipBit(target.file, target.offset + byte, bit);
  if (damage.size > 0) return "damage";
  const changed = new Set([...notes.keys(), ...before.keys()]);
  const kinds = [...changed].filter((kind) => notes.get(kind) !== before.get(kind)).sort();
  return kinds.length > 0 ? `note ${kinds.join(", ")}` : "nothing";
}

/** Rows of the document: target and field, then the bits with each outcome. */
const rows = new Map<string, Map<Outcome, Set<string>>>();

function record(target: Target, field: Field, bitInField: number, outcome: Outcome): void {
  if (outcome === "damage") return;
  const name = `${target.name} | ${field.name}`;
  const outcomes = rows.get(name) ?? new Map<Outcome, Set<string>>();
  rows.set(name, outcomes);
  const isWhole = ["crc32", "key", "value", "padding", "reserved", "flags"].includes(field.name);
  const bits = outcomes.get(outcome) ?? new Set<string>();
  outcomes.set(outcome, bits);
  bits.add(isWhole ? "any" : nameOfBit(field, bitInField));
}

function nameOfBit(field: Field, bit: number): string {
  if (field.name === "meta") return bit < 2 ? `status bit ${bit}` : "version bits";
  return `bit ${bit}`;
}

/** Why a bit cannot be found, or is a note only. A row without a reason fails the test. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [
    /^DELETED slot of a follower.*\| nothing/,
    "a follower keeps whatever key, value and crc it had: nothing says what they should be (format.md: Slot)",
  ],
  [
    /\| meta \| note .*slot-free/,
    "the record has become a free slot that is not empty: legal after a reset or a migration, so a note",
  ],
  [
    /^DELETED.*\| note .*slot-deleted-crc/,
    "nothing reads key and value of a deleted slot, and on a follower they may be anything",
  ],
  [/^DELETED.*\| (meta|crc32|key|value)/, "nothing reads key and value of a deleted slot"],
  [
    /^never-used.*\| note/,
    "nothing reads a free slot; from 0.11.2 on a migration may leave bytes or a version there",
  ],
  [/\| padding \|/, "nothing reads the padding"],
  [
    /^header.*\| clean_shutdown \|/,
    "at most one more scan at the next open: a clean flag is believed only with a sidecar whose crc is right",
  ],
  [
    /^db\.meta.*\| (flags|reserved) \|/,
    "the crate ignores them before 0.3.0 and refuses the database from then on",
  ],
  [
    /^db\.meta, one shard \| shard_prefix_bits \|/,
    "all keys belong to the one shard whatever the bits are",
  ],
  [
    /^db\.meta, several shards.*\| shard_prefix_bits \| nothing/,
    "bits at or past the key's length route by the whole key, as 0 does",
  ],
];

function reasonOf(row: string): string {
  const reason = REASONS.find(([pattern]) => pattern.test(row));
  if (reason === undefined) throw new Error(`no reason is known for: ${row}`);
  return reason[1];
}

function documentText(): string {
  const lines = [
    "# What verify cannot find, or calls a note only",
    "",
    "Written by test/audit/bit-flips.test.ts, which flips every bit of a slot of each kind, of a header and of db.meta, one at a",
    "time, in directories that the real crate wrote. **Every flip that is not listed here is found as damage**, or the database is",
    "refused as one of another format (db.meta's backend byte). A note does not make the verdict worse than `ok`.",
    "",
  ];
  const table = (title: string, wanted: (outcome: Outcome) => boolean) => {
    lines.push(
      `## ${title}`,
      "",
      "| where | field | bits | said | why |",
      "| --- | --- | --- | --- | --- |",
    );
    for (const [name, outcomes] of [...rows].sort(([left], [right]) => (left < right ? -1 : 1))) {
      for (const [outcome, bits] of [...outcomes].sort(([left], [right]) =>
        left < right ? -1 : 1,
      )) {
        if (!wanted(outcome)) continue;
        const said =
          outcome === "nothing" ? "nothing" : `\`${outcome.slice(5).replaceAll(", ", "` `")}\``;
        lines.push(
          `| ${name} | ${[...bits].sort().join(", ")} | ${said} | ${reasonOf(`${name} | ${outcome}`)} |`,
        );
      }
    }
    lines.push("");
  };
  table("Not found", (outcome) => outcome === "nothing");
  table("Found, as a note", (outcome) => outcome !== "nothing");
  return lines.join("\n");
}

describe("every single-bit flip", () => {
  for (const target of [...slotTargets(), ...headerTargets(), ...metaTargets()]) {
    test(`of a ${target.name} (${target.shape})`, async () => {
      using db = new SampleDatabase(target.shape, target.state);
      target.prepare?.(db);
      const digest = db.digest();
      const { notes } = await saidOf(db);
      for (const field of target.fields) {
        for (let bit = 0; bit < field.bytes * 8; bit++) {
          const byte = field.offset + (bit >> 3);
          record(target, field, bit, await flip(db, target, byte, bit & 7, notes));
        }
      }
      expect(db.digest()).toBe(digest);
    }, 120_000);
  }

  test("of a header's reserved bytes is noted", () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    const directory = readDirectory(realDisk, db.path);
    const look = directory.shards[0];
    if (look?.data.bytes == null) throw new Error("the fixture has a header");
    for (let bit = 18 * 8; bit < 4096 * 8; bit++) {
      const bytes = look.data.bytes.slice();
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const findings = new FindingList();
      const header = decodeShardHeader(bytes);
      checkHeader(directory, { ...look, header, data: { ...look.data, bytes } }, findings);
      expect(findings.all).toMatchObject([{ kind: "header-reserved", offset: bit >> 3 }]);
    }
  });

  afterAll(async () => {
    if (process.env["ARMDB_WRITE_DOCS"] === "1") await Bun.write(DOCUMENT, documentText());
  });

  test("that is not found as damage stands in docs/undetectable.md", async () => {
    if (process.env["ARMDB_WRITE_DOCS"] === "1") return;
    expect(documentText()).toBe(await Bun.file(DOCUMENT).text());
  });
});
