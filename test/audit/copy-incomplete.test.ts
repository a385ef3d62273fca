// A first copy that has not ended, as verify, inspect, repair and the others tell it: incomplete, exit 4, after damage and before
// what is unknown. The state files are written by the test; how a follower writes them is in first-copy.test.ts.

import { describe, expect, test } from "bun:test";
import { compareCommand } from "../../src/cli/commands/compare.ts";
import { inspectCommand } from "../../src/cli/commands/inspect.ts";
import { inspectKeyCommand } from "../../src/cli/commands/inspect-key.ts";
import { inspectShardCommand } from "../../src/cli/commands/inspect-shard.ts";
import { verifyCommand } from "../../src/cli/commands/verify.ts";
import { verifyCursorCommand } from "../../src/cli/commands/verify-cursor.ts";
import { DiskError } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { leaveCopyState } from "../support/copy-state.ts";
import { runCommand } from "../support/run-command.ts";
import { failingDisk } from "./failing-disk.ts";
import { DATA, DATA_1, SLOT_OFFSET } from "./finding-case.ts";
import { SampleDatabase } from "./sample-databases.ts";

/** Shard 0 of the fixture holds this many records, shard 1 the other. */
const RECORDS = [97, 101] as const;
const ABSENT_KEY = "0xffffffffffffffff";

/** A replica of two shards with a state file. */
function replicaWith(complete: readonly (boolean | null)[]): SampleDatabase {
  const db = new SampleDatabase("8x16-2-shards", "follower-clean");
  leaveCopyState(db.path, complete);
  return db;
}

const READERS = [
  ["verify", (path: string) => runCommand(verifyCommand, [path, "--json"])],
  ["verify --quick", (path: string) => runCommand(verifyCommand, [path, "--quick", "--json"])],
  ["verify --shard", (path: string) => runCommand(verifyCommand, [path, "--shard", "1", "--json"])],
  ["inspect", (path: string) => runCommand(inspectCommand, [path, "--json"])],
  ["inspect shard", (path: string) => runCommand(inspectShardCommand, [path, "1", "--json"])],
] as const;

describe("a shard whose first copy has not ended", () => {
  for (const [name, read] of READERS) {
    test(`is incomplete, exit 4: ${name}`, async () => {
      using db = replicaWith([true, false]);
      const before = db.digest();
      const { status, documents } = await read(db.path);
      expect(status).toBe(4);
      expect(documents).toMatchObject([
        {
          verdict: "incomplete",
          complete: false,
          findings: [{ kind: "copy-incomplete", severity: "incomplete", shard: 1, slot: null }],
        },
      ]);
      expect(db.digest()).toBe(before);
    });
  }

  test("each has a finding of its own, with its leader and the records that are here", async () => {
    using db = replicaWith([false, false]);
    const { documents } = await runCommand(verifyCommand, [db.path, "--json"]);
    const said = (records: number) =>
      `the first copy from 10.0.0.5:7400 has not ended, ${records} records are here`;
    expect(documents).toMatchObject([
      { findings: RECORDS.map((records, shard) => ({ shard, message: said(records) })) },
    ]);
    const quick = await runCommand(verifyCommand, [db.path, "--quick", "--json"]);
    const message = "the first copy from 10.0.0.5:7400 has not ended";
    expect(quick.documents).toMatchObject([{ findings: [{ message }, { message }] }]);
  });

  test("verify says what it means and how to go on", async () => {
    using db = replicaWith([true, false]);
    const { lines, messages } = await runCommand(verifyCommand, [db.path]);
    const from = lines.findIndex((line) => line.startsWith("INCOMPLETE copy-incomplete"));
    expect(lines.slice(from, -1)).toEqual([
      "INCOMPLETE copy-incomplete: records that the leader's scan had not yet sent are not here",
      "  shard 1: the first copy from 10.0.0.5:7400 has not ended, 101 records are here",
      "",
    ]);
    expect(lines.at(-1)).toMatch(/^INCOMPLETE: 1 shard is not a whole copy\. 256 slots and .+\.$/);
    expect(messages).toEqual([`info: Try: armdb replicate 10.0.0.5:7400 --data ${db.path}`]);
  });

  test("the other shards of it are not", async () => {
    using db = replicaWith([true, false]);
    const verified = await runCommand(verifyCommand, [db.path, "--shard", "0", "--json"]);
    expect(verified.status).toBe(0);
    expect(verified.documents).toMatchObject([{ verdict: "ok", complete: false, findings: [] }]);
    const inspected = await runCommand(inspectShardCommand, [db.path, "0", "--json"]);
    expect(inspected.status).toBe(0);
    expect(inspected.documents).toMatchObject([{ verdict: "ok", complete: true }]);
  });

  test("a leader's name that is none is not repeated", async () => {
    using db = new SampleDatabase("8x16-2-shards", "follower-clean");
    leaveCopyState(db.path, [false, true], { leader: "a;$(reboot):7400" });
    const { lines, messages } = await runCommand(verifyCommand, [db.path]);
    const text = [...lines, ...messages].join("\n");
    expect(text).toContain("shard 0: the first copy has not ended");
    expect(text).toContain(`Try: armdb replicate LEADER --data ${db.path}`);
    expect(text).not.toContain("reboot");
  });
});

describe("complete", () => {
  const cases: readonly [string, readonly (boolean | null)[] | null, boolean | null][] = [
    ["every shard says true", [true, true], true],
    ["one says false and one says nothing", [null, false], false],
    ["one says nothing", [true, null], null],
    ["one is not in the state file", [true], null],
    ["there is no state file", null, null],
  ];
  for (const [what, shards, complete] of cases) {
    test(`is ${complete} where ${what}`, async () => {
      using db = new SampleDatabase("8x16-2-shards", "follower-clean");
      if (shards !== null) leaveCopyState(db.path, shards);
      const verdict = complete === false ? "incomplete" : "ok";
      for (const command of [verifyCommand, inspectCommand]) {
        const { status, documents } = await runCommand(command, [db.path, "--json"]);
        expect(status).toBe(complete === false ? 4 : 0);
        expect(documents).toMatchObject([{ verdict, complete }]);
      }
      const { documents } = await runCommand(inspectCommand, [db.path, "--json"]);
      expect(documents).toMatchObject([
        { shards: [0, 1].map((shard) => ({ shard, complete: shards?.[shard] ?? null })) },
      ]);
    });
  }

  test("is null for a leader's own directory, exit 0", async () => {
    for (const state of ["leader-clean", "leader-dirty"] as const) {
      using db = new SampleDatabase("8x16-2-shards", state);
      const { status, documents } = await runCommand(verifyCommand, [db.path, "--json"]);
      expect(status).toBe(0);
      expect(documents).toMatchObject([{ verdict: "ok", complete: null }]);
    }
  });

  test("is false for shards that a follower had not noted when it was killed while it made them", async () => {
    using db = new SampleDatabase("8x16-2-shards", "follower-clean");
    leaveCopyState(db.path, [], { created: false });
    const { status, documents } = await runCommand(verifyCommand, [db.path, "--json"]);
    expect(status).toBe(4);
    expect(documents).toMatchObject([{ verdict: "incomplete", complete: false }]);
  });
});

describe("with other findings", () => {
  test("a damaged slot goes before it: exit 3, and both are listed", async () => {
    using db = replicaWith([false, true]);
    db.flipBit(DATA, SLOT_OFFSET + 20, 6);
    const { status, documents } = await runCommand(verifyCommand, [db.path, "--json"]);
    expect(status).toBe(3);
    expect(documents).toMatchObject([
      {
        verdict: "damaged",
        complete: false,
        findings: [{ kind: "slot-crc" }, { kind: "copy-incomplete" }],
      },
    ]);
    const { lines } = await runCommand(verifyCommand, [db.path]);
    expect(lines.at(-1)).toStartWith("DAMAGED: 1 place damaged, 1 shard is not a whole copy. ");
  });

  test("it goes before what cannot be read: exit 4", async () => {
    using db = replicaWith([false, true]);
    const disk = failingDisk(realDisk, (path) =>
      path.endsWith(DATA_1) ? new DiskError("read", path, "EIO") : null,
    );
    const { status, documents } = await runCommand(verifyCommand, [db.path, "--json"], { disk });
    expect(status).toBe(4);
    expect(documents).toMatchObject([
      { verdict: "incomplete", findings: [{ kind: "copy-incomplete" }, { kind: "unreadable" }] },
    ]);
  });

  test("records that could not all be read are counted as at least so many", async () => {
    using db = replicaWith([false, true]);
    // Slots 40 and 41 lie in the bytes that cannot be read.
    const disk = failingDisk(realDisk, (path, start, end) =>
      path.endsWith(DATA) && start < 4096 + 42 * 32 && end > 4096 + 40 * 32
        ? new DiskError("read", path, "EIO")
        : null,
    );
    const { documents } = await runCommand(verifyCommand, [db.path, "--json"], { disk });
    const [{ findings }] = documents as [{ findings: { message: string }[] }];
    expect(findings[0]?.message).toMatch(/has not ended, at least 9\d records are here$/);
  });
});

describe("commands that ask something else", () => {
  test("compare and verify-cursor say what they compared", async () => {
    using db = replicaWith([false, false]);
    using other = new SampleDatabase("8x16-2-shards", "follower-clean");
    const compared = await runCommand(compareCommand, [db.path, other.path, "--json"]);
    expect(compared.status).toBe(0);
    expect(compared.documents.at(-1)).toMatchObject({ verdict: "same" });
    const cursors = await runCommand(verifyCursorCommand, [db.path, "--json"]);
    expect(cursors.status).toBe(0);
    expect(cursors.documents).toMatchObject([{ verdict: "ok" }]);
  });

  test("inspect key does not call a key never written that may not have come yet", async () => {
    using db = replicaWith([false, false]);
    const absent = await runCommand(inspectKeyCommand, [db.path, ABSENT_KEY]);
    expect(absent.status).toBe(0);
    expect(absent.lines.at(-1)).toBe("not found; this copy is incomplete");
    const { documents } = await runCommand(inspectKeyCommand, [db.path, ABSENT_KEY, "--json"]);
    expect(documents).toMatchObject([{ live: null, slots: [], complete: false }]);
    leaveCopyState(db.path, [true, true]);
    const complete = await runCommand(inspectKeyCommand, [db.path, ABSENT_KEY]);
    expect(complete.lines.at(-1)).toStartWith("no slot has it");
  });
});
