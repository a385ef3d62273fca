// The threads that make shards durable, as real threads: jobs of many shards, a shard whose file is not there, a port whose other
// end is gone.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MessageChannel } from "node:worker_threads";
import type { PlainError } from "../../src/errors.ts";
import { CURSOR_FILE } from "../../src/format/cursor.ts";
import { SHARD_FILE } from "../../src/format/shard-header.ts";
import type { Flusher } from "../../src/io/flusher.ts";
import { FlushPool } from "../../src/replica/threads/flush-pool.ts";
import { portFlusher } from "../../src/replica/threads/thread-flusher.ts";
import { OWN_NEW_FILES } from "../../src/store/ownership.ts";
import { TempRoot } from "../support/temp.ts";

let root: TempRoot;
beforeAll(() => {
  root = new TempRoot("flush-pool");
});
afterAll(() => root[Symbol.dispose]());

function flush(flusher: Flusher, cursor: Uint8Array | null): Promise<PlainError | null> {
  return new Promise((resolve) => {
    flusher.flush({ cursor, names: [] }, ({ error }) => resolve(error));
  });
}

function shardDirectory(hasFile: boolean): string {
  const directory = root.fresh("shard");
  mkdirSync(directory);
  if (hasFile) writeFileSync(join(directory, SHARD_FILE), "data");
  return directory;
}

describe("a pool", () => {
  test("does the jobs of twenty shards, each with its own cursor", async () => {
    const pool = new FlushPool();
    const shards = Array.from({ length: 20 }, () => shardDirectory(true));
    const flushers = shards.map((directory, shard) => {
      const data = { directory, owner: OWN_NEW_FILES, givesWay: true };
      return portFlusher(pool.portFor(shard, shards.length, data), directory);
    });
    for (let round = 0; round < 3; round++) {
      const done = flushers.map((one, shard) => flush(one, Uint8Array.of(shard, round)));
      expect(await Promise.all(done)).toEqual(shards.map(() => null));
    }
    for (const [shard, directory] of shards.entries()) {
      expect([...readFileSync(join(directory, CURSOR_FILE))]).toEqual([shard, 2]);
    }
    for (const flusher of flushers) flusher.stop();
    pool.stop();
  });

  test("explains a file that cannot be opened, and goes on for the others", async () => {
    const pool = new FlushPool();
    const [missing, there] = [shardDirectory(false), shardDirectory(true)];
    const [first, second] = [missing, there].map((directory) =>
      portFlusher(
        pool.portFor(0, 1, { directory, owner: OWN_NEW_FILES, givesWay: false }),
        directory,
      ),
    ) as [Flusher, Flusher];
    const error = await flush(first, null);
    expect(error?.message).toContain(join(missing, SHARD_FILE));
    expect(await flush(second, null)).toBeNull();
    first.stop();
    second.stop();
    pool.stop();
  });
});

test("a port whose thread is gone fails what waits, and what comes later, with 15", async () => {
  const { port1, port2 } = new MessageChannel();
  const flusher = portFlusher(port2, "db/shard_003");
  port1.on("message", () => port1.close());
  for (const error of [await flush(flusher, null), await flush(flusher, null)]) {
    expect(error).toMatchObject({ code: "storage" });
    expect(error?.message).toContain("db/shard_003");
  }
});
