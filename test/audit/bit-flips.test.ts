// Flips every bit of a slot of each kind, of a header and of db.meta, one at a time, and holds what verify says against
// docs/undetectable.md: whatever is not found as damage stands there with the reason. `ARMDB_WRITE_DOCS=1 bun test
// test/audit/bit-flips.test.ts` writes the file anew.

import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { FindingList } from "../../src/audit/finding-list.ts";
import { checkHeader } from "../../src/audit/check/header.ts";
import { readDirectory } from "../../src/audit/look/database-look.ts";
import { ArmdbError } from "../../src/errors.ts";
import { decodeShardHeader } from "../../src/format/shard-header.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import {
  type Field,
  headerTargets,
  metaTargets,
  reasonOf,
  slotTargets,
  type Target,
} from "./bit-flip-targets.ts";
import { SampleDatabase, verify } from "./sample-databases.ts";

const DOCUMENT = join(import.meta.dir, "../../docs/undetectable.md");

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
