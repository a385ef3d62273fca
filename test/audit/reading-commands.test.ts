// What all reading commands promise: nothing touched, text that fits, the right exit where there is nothing to read.

import { describe, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspectCommand } from "../../src/cli/commands/inspect.ts";
import { inspectCursorCommand } from "../../src/cli/commands/inspect-cursor.ts";
import { inspectKeyCommand } from "../../src/cli/commands/inspect-key.ts";
import { inspectShardCommand } from "../../src/cli/commands/inspect-shard.ts";
import { inspectSlotCommand } from "../../src/cli/commands/inspect-slot.ts";
import { verifyCommand } from "../../src/cli/commands/verify.ts";
import { verifyCursorCommand } from "../../src/cli/commands/verify-cursor.ts";
import { runCommand } from "../support/run-command.ts";
import { SampleDatabase } from "./sample-databases.ts";

const DATA = "shard_000/fixed.data";
const SLOT_OFFSET = 4096 + 5 * 32;
const EMPTY_SLOT_OFFSET = 4096 + 127 * 32;

/** Every reading command with words that it accepts for 8x16-2-shards. */
const READERS = [
  [inspectCommand, []],
  [inspectShardCommand, ["0"]],
  [inspectShardCommand, ["1", "--slots", "0..20", "--only", "deleted"]],
  [inspectSlotCommand, ["0", "5"]],
  [inspectKeyCommand, ["u64be:2"]],
  [inspectCursorCommand, []],
  [verifyCommand, []],
  [verifyCommand, ["--quick"]],
  [verifyCursorCommand, []],
] as const;

describe("reading commands", () => {
  for (const [command, words] of READERS) {
    const name = [command.spec.name, ...words].join(" ");
    test(`${name} leaves every byte and adds no file, sound or damaged`, async () => {
      using db = new SampleDatabase("8x16-2-shards", "follower-clean");
      const sound = db.digest();
      const fine = await runCommand(command, [db.path, ...words]);
      expect(fine).toMatchObject({ status: 0, error: null });
      expect(db.digest()).toBe(sound);
      db.flipBit(DATA, SLOT_OFFSET + 20, 0);
      db.flipBit("shard_001/fixed.data", 3, 0);
      db.remove("shard_001/fixed.versions");
      const damaged = db.digest();
      await runCommand(command, [db.path, ...words]);
      expect(db.digest()).toBe(damaged);
    });

    test.each([80, 132])(`${name} fits %p columns`, async (columns) => {
      using db = new SampleDatabase("8x16-2-shards", "leader-clean");
      db.flipBit(DATA, SLOT_OFFSET + 20, 0);
      const { lines } = await runCommand(command, [db.path, ...words], { columns });
      // A path is as long as it is.
      const free = lines.filter((line) => !line.includes(db.path));
      for (const line of free) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns);
    });

    test(`${name} says 10 where there is no database, in one sentence with a hint`, async () => {
      const { status, error } = await runCommand(command, [
        join(tmpdir(), "armdb-no-such"),
        ...words,
      ]);
      expect(status).toBe(10);
      expect(error?.details.hint).toBeString();
    });

    test(`${name} says 13 to another format`, async () => {
      using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
      for (const shard of ["shard_000", "shard_001"]) {
        db.change(`${shard}/fixed.data`, (bytes) => bytes.writeUInt16LE(1, 4));
      }
      const { status, error } = await runCommand(command, [db.path, ...words]);
      expect(status).toBe(13);
      expect(error?.message).toContain("0.1.7 to 0.1.12");
    });
  }

  test("stop printing when the reader has gone", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    const { lines } = await runCommand(inspectShardCommand, [db.path, "0", "--slots", "0..127"], {
      closeAfterLines: 5,
    });
    expect(lines).toHaveLength(5);
  });

  test("show a key and a file name without their control characters", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    db.write("evil\x1b[2Jname", "");
    const { lines } = await runCommand(verifyCommand, [db.path]);
    expect(lines.join("\n")).toContain("evil\\x1b[2Jname");
    expect(lines.join("\n")).not.toContain("\x1b");
  });
});
