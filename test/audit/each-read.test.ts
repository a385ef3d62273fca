// A stop at the n-th read, and a read that fails, for every n, in each command that reads a database: it ends, nothing is
// written, and what was not read is never called fine.

import { describe, expect, test } from "bun:test";
import type { Command } from "../../src/cli/command.ts";
import { compareCommand } from "../../src/cli/commands/compare.ts";
import { inspectCommand } from "../../src/cli/commands/inspect.ts";
import { inspectKeyCommand } from "../../src/cli/commands/inspect-key.ts";
import { inspectShardCommand } from "../../src/cli/commands/inspect-shard.ts";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { verifyCommand } from "../../src/cli/commands/verify.ts";
import { verifyCursorCommand } from "../../src/cli/commands/verify-cursor.ts";
import { type Disk, DiskError } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { runCommand } from "../support/run-command.ts";
import { failingDisk } from "./failing-disk.ts";
import { SampleDatabase, verify } from "./sample-databases.ts";

const LIMIT_MS = 60_000;

type Words = (db: SampleDatabase, other: SampleDatabase) => readonly string[];
const COMMANDS: readonly (readonly [name: string, command: Command, words: Words])[] = [
  ["verify", verifyCommand, (db) => [db.path, "--json"]],
  ["inspect", inspectCommand, (db) => [db.path, "--json"]],
  ["inspect shard", inspectShardCommand, (db) => [db.path, "0", "--json"]],
  ["inspect key", inspectKeyCommand, (db) => [db.path, "u64be:7", "--json"]],
  ["verify-cursor", verifyCursorCommand, (db) => [db.path, "--json"]],
  ["compare", compareCommand, (db, other) => [db.path, other.path, "--wait", "0s", "--json"]],
  ["repair", repairCommand, (db) => [db.path, "--json"]],
  ["repair --from", repairCommand, (db, other) => [db.path, "--from", other.path, "--json"]],
];

/** Calls `read` before each read of a file. */
function countingDisk(read: () => void): Disk {
  return failingDisk({ ...realDisk }, () => {
    read();
    return null;
  });
}

describe.each(COMMANDS)("%s", (_, command, words) => {
  test(
    "ends at a stop after any read, and writes nothing",
    async () => {
      using db = new SampleDatabase("8x16-2-shards", "leader-clean");
      using other = new SampleDatabase("8x16-2-shards", "leader-clean");
      db.flipBit("shard_000/fixed.data", 4096 + 5 * 32 + 20, 1);
      const before = [db.digest(), other.digest()];
      let readsInAll = 0;
      const whole = await runCommand(command, words(db, other), {
        disk: countingDisk(() => void readsInAll++),
      });
      expect(readsInAll).toBeGreaterThan(3);
      for (let last = 1; last <= readsInAll; last++) {
        const stop = new AbortController();
        let reads = 0;
        const disk = countingDisk(() => {
          reads += 1;
          if (reads === last) stop.abort("SIGINT");
        });
        const { status } = await runCommand(command, words(db, other), { disk, stop: stop.signal });
        // What was at its end already may say so.
        expect([130, ...(last > 1 ? [whole.status] : [])]).toContain(status);
      }
      expect([db.digest(), other.digest()]).toEqual(before);
    },
    LIMIT_MS,
  );
});

test(
  "a sidecar that cannot be read from any read on is not called fine, however often it was opened before",
  async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    const isSidecar = (path: string) => path.endsWith("shard_000/fixed.versions");
    let readsInAll = 0;
    const counting = failingDisk({ ...realDisk }, (path) => {
      if (isSidecar(path)) readsInAll += 1;
      return null;
    });
    expect((await verify(db.path, { disk: counting })).verdict).toBe("ok");
    expect(readsInAll).toBeGreaterThanOrEqual(3);
    for (let bad = 1; bad <= readsInAll; bad++) {
      let reads = 0;
      const disk = failingDisk({ ...realDisk }, (path) => {
        if (!isSidecar(path)) return null;
        reads += 1;
        return reads >= bad ? new DiskError("read", path, "EIO") : null;
      });
      const { verdict, findings } = await verify(db.path, { disk });
      expect(verdict).toBe("unknown");
      expect(findings.filter(({ kind }) => kind === "unreadable")).toMatchObject([
        { shard: 0, file: "shard_000/fixed.versions" },
      ]);
    }
  },
  LIMIT_MS,
);
