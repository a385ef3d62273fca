// Every kind of finding that cli.md names, produced on a copy of a directory that the real crate wrote, and found in the
// right place. The last test holds the tables against the list of kinds: a kind without a test fails.

import { describe, expect, test } from "bun:test";
import { FINDING_KINDS, type FindingKind } from "../../src/audit/findings.ts";
import { DiskError } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { failingDisk } from "./failing-disk.ts";
import { DATA, DATA_1, SLOT, SLOT_OFFSET } from "./finding-case.ts";
import { FILE_CASES } from "./file-cases.ts";
import { SIDE_CASES } from "./side-cases.ts";
import { SLOT_CASES } from "./slot-cases.ts";
import { places, SampleDatabase, verify } from "./sample-databases.ts";

const CASES = [...FILE_CASES, ...SLOT_CASES, ...SIDE_CASES];

/** Made in tests of their own: they need a failing disk or another process. */
const MADE_ELSEWHERE: readonly FindingKind[] = ["unreadable", "lock-held", "source-unsure"];

describe("finding kinds", () => {
  for (const {
    kind,
    what,
    shape = "8x16-2-shards",
    state,
    damage,
    at,
    with: others = [],
  } of CASES) {
    test(`${kind}: ${what}`, async () => {
      using db = new SampleDatabase(shape, state);
      damage(db);
      const before = db.digest();
      const report = await verify(db.path);
      const found = places(report);
      expect(found).toContain(`${kind} ${at}`);
      const expected = [
        FINDING_KINDS[kind].severity === "damage" ? [`${kind} ${at}`] : [],
        ...others,
      ].flat();
      const damaged = report.findings.filter(({ severity }) => severity === "damage");
      expect(places({ findings: damaged }).sort()).toEqual([...expected].sort());
      const verdict = FINDING_KINDS[kind].severity === "incomplete" ? "incomplete" : "ok";
      expect(report.verdict).toBe(expected.length > 0 ? "damaged" : verdict);
      expect(db.digest()).toBe(before);
    });
  }

  test("every kind of cli.md is in the table", () => {
    const made = new Set([...CASES.map(({ kind }) => kind), ...MADE_ELSEWHERE]);
    expect([...made].sort()).toEqual((Object.keys(FINDING_KINDS) as FindingKind[]).sort());
  });
});

describe("unreadable", () => {
  const eio = (path: string) => new DiskError("read", path, "EIO");

  test("narrows a read error down to the slots it hides, and is unknown", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    // Slots 40 and 41 lie in the bytes that cannot be read.
    const disk = failingDisk(realDisk, (path, start, end) =>
      path.endsWith(DATA) && start < 4096 + 42 * 32 && end > 4096 + 40 * 32 ? eio(path) : null,
    );
    const report = await verify(db.path, { disk });
    expect(report).toMatchObject({ verdict: "unknown" });
    expect(report.findings).toMatchObject([
      {
        kind: "unreadable",
        severity: "unknown",
        shard: 0,
        slot: 40,
        count: 2,
        offset: 4096 + 40 * 32,
      },
    ]);
    expect(report.shards[0]).toMatchObject({ slots: 128, unread: 2, damaged: 0 });
  });

  test("is no damage, but damage elsewhere goes before it", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    db.flipBit(DATA, SLOT_OFFSET + 20, 0);
    const disk = failingDisk(realDisk, (path) => (path.endsWith(DATA_1) ? eio(path) : null));
    const report = await verify(db.path, { disk });
    expect(report.verdict).toBe("damaged");
    expect(places(report)).toEqual([`slot-crc 0 ${SLOT} ${SLOT_OFFSET}`, "unreadable 1 null null"]);
  });
});
