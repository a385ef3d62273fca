// What a verify reads, by the system's own count: each byte once, whatever the number of threads; and what it says that it read.

import { describe, expect, test } from "bun:test";
import { closeSync, ftruncateSync, mkdirSync, openSync, writeSync } from "node:fs";
import { encodeDbMeta } from "../../src/format/db-meta.ts";
import { encodeShardHeader, shardFileBytes } from "../../src/format/shard-header.ts";
import { slotLayout } from "../../src/format/slot.ts";
import { programEnv, programWords } from "../support/program.ts";
import { TempRoot } from "../support/temp.ts";

const LIMIT_MS = 60_000;
/** Of the program's own start, and of each thread's. */
const START_BYTES = 8 * 1024 * 1024;
const THREAD_START_BYTES = 1024 * 1024;
const LAYOUT = slotLayout(4, 4);

/** Shards of slots that were never used, of 16 bytes. */
function freeDirectory(temp: TempRoot, shards: number, slotCount: number): string {
  const path = temp.fresh("db");
  mkdirSync(path);
  write(`${path}/db.meta`, encodeDbMeta({ shardCount: shards, shardPrefixBits: 0 }), 16);
  for (let shardId = 0; shardId < shards; shardId++) {
    const shard = `${path}/shard_${String(shardId).padStart(3, "0")}`;
    mkdirSync(shard);
    const header = encodeShardHeader({ ...LAYOUT, slotCount, shardId, cleanShutdown: 0 });
    write(`${shard}/fixed.data`, header, shardFileBytes(slotCount, LAYOUT.slotSize));
  }
  return path;
}

function write(path: string, bytes: Uint8Array, length: number): void {
  const file = openSync(path, "w");
  writeSync(file, bytes, 0, bytes.length, 0);
  ftruncateSync(file, length);
  closeSync(file);
}

/** Bytes that the process and its threads read, and what it says of it. A shell that has waited for it has its count. */
async function verified(path: string, jobs: number): Promise<{ read: number; said: number }> {
  const command = `"$@" && grep rchar /proc/$$/io`;
  const words = [...programWords(), "verify", path, "--jobs", String(jobs), "--json"];
  const child = Bun.spawn(["sh", "-c", command, "sh", ...words], {
    env: programEnv(),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  const [document = "", count = ""] = (await child.stdout.text()).split("\n");
  return { read: Number(count.split(" ")[1]), said: Number(JSON.parse(document).bytesRead) };
}

describe.each([
  [1, 40_000_000, 1],
  [1, 40_000_000, 2],
  [4, 4_000_000, 1],
  [4, 4_000_000, 4],
  [16, 2_000_000, 16],
])("%p shards of %p slots, %p jobs", (shards, slotCount, jobs) => {
  test(
    "are read once",
    async () => {
      using temp = new TempRoot("reads");
      const { read, said } = await verified(freeDirectory(temp, shards, slotCount), jobs);
      const bytes = shards * shardFileBytes(slotCount, LAYOUT.slotSize);
      expect(said).toBe(bytes);
      expect(read - START_BYTES - jobs * THREAD_START_BYTES).toBeLessThan(1.01 * bytes);
      expect(read).toBeGreaterThanOrEqual(bytes);
    },
    LIMIT_MS,
  );
});
