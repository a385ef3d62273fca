// The note reset-saved says how many slots are kept in the reset logs, and whose doing it was that they went away.

import { describe, expect, test } from "bun:test";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { verifyCommand } from "../../src/cli/commands/verify.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { OWN_NEW_FILES } from "../../src/store/ownership.ts";
import { type SavedBy, saveResetSlots } from "../../src/store/reset-log.ts";
import { FixtureCopy } from "./repair-support.ts";
import { runCommand } from "../support/run-command.ts";

/** Saves slots of a shard as a follower does. */
function save(copy: FixtureCopy, shard: number, by: SavedBy, slots: readonly number[]): void {
  const saved = slots.map((slot) => ({ slot, bytes: copy.slotBytes(shard, slot) }));
  saveResetSlots(realDisk, copy.path, shard, copy.layout, OWN_NEW_FILES, 1_000, by, saved);
}

/** The message of the note; the directory is sound besides. */
async function noteOf(copy: FixtureCopy): Promise<string | undefined> {
  const { status, documents } = await runCommand(verifyCommand, [copy.path, "--json"]);
  expect(status).toBe(0);
  const { findings } = documents[0] as { findings: { kind: string; message: string }[] };
  return findings.find(({ kind }) => kind === "reset-saved")?.message;
}

describe("reset-saved", () => {
  test("tells the leader's resets from what --accept-leader gave up", async () => {
    using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    expect(await noteOf(copy)).toBeUndefined();
    save(copy, 0, "leader", [1]);
    expect(await noteOf(copy)).toBe("1 slot that the leader reset: armdb-reset-0.log");
    save(copy, 0, "accept-leader", [2, 3]);
    save(copy, 1, "accept-leader", [4]);
    expect(await noteOf(copy)).toBe(
      "1 slot that the leader reset, 3 slots that --accept-leader gave up: armdb-reset-0.log, armdb-reset-1.log",
    );
  });

  test("does not blame anybody for lines of an armdb that did not say, nor for what cannot be read", async () => {
    using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    const old = '{"savedAtMs":1,"shard":0,"slot":5,"version":2,"key":"00","value":"ff"}\n';
    writeFileSync(join(copy.path, "armdb-reset-0.log"), old.repeat(2));
    save(copy, 0, "leader", [7]);
    expect(await noteOf(copy)).toBe(
      "1 slot that the leader reset, 2 slots that a reset or --accept-leader took away: armdb-reset-0.log",
    );
    using other = new FixtureCopy("8x16-2-shards", "follower-clean");
    symlinkSync(join(copy.path, "armdb-reset-0.log"), join(other.path, "armdb-reset-0.log"));
    expect(await noteOf(other)).toBe(
      "slots that a reset or --accept-leader took away: armdb-reset-0.log",
    );
  });

  test("counts in the first MiB of a log alone, and says that there may be more", async () => {
    using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    const line = `{"savedAtMs":1,"shard":0,"slot":5,"version":2,"by":"leader","key":"00","value":"${"ff".repeat(1_000)}"}\n`;
    writeFileSync(join(copy.path, "armdb-reset-0.log"), line.repeat(2_000));
    expect(await noteOf(copy)).toBe(
      `at least ${Math.ceil(1_048_576 / line.length)} slots that the leader reset: armdb-reset-0.log`,
    );
  });
});
