// Scans of one shard by tests: of a sample, or of slots written here, with disk, clock and rate passed in.

import { readDirectory } from "../../src/audit/look/database-look.ts";
import type { ScanResult, ScanTask } from "../../src/audit/scan/data.ts";
import { ScanRun, ShardState } from "../../src/audit/scan/run.ts";
import { scanShard } from "../../src/audit/scan/shard.ts";
import { scanTaskOf } from "../../src/audit/verify.ts";
import { encodeDbMeta } from "../../src/format/db-meta.ts";
import { encodeShardHeader } from "../../src/format/shard-header.ts";
import {
  encodeOccupiedSlot,
  packMeta,
  slotLayout,
  STATUS_OCCUPIED,
} from "../../src/format/slot.ts";
import type { Clock } from "../../src/io/clock.ts";
import type { Disk } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { realClock } from "../../src/io/time.ts";
import type { SampleDatabase } from "./sample-databases.ts";

export const DATA = "shard_000/fixed.data";

export function taskOf(db: SampleDatabase, sidecarPath: string | null = null): ScanTask {
  const directory = readDirectory(realDisk, db.path);
  const [look] = directory.shards;
  if (look === undefined) throw new Error("the fixture has a shard");
  return scanTaskOf(directory, look, { isLive: false, sidecarPath });
}

interface ScanOverrides {
  readonly disk?: Disk;
  readonly clock?: Clock;
  readonly bytesPerSecond?: number;
  /** Told of each step; may end the scan. */
  readonly moved?: (run: ScanRun) => void;
}

export function scan(task: ScanTask, overrides: ScanOverrides = {}): Promise<ScanResult> {
  const { disk = realDisk, clock = realClock, bytesPerSecond = null, moved } = overrides;
  const run = new ScanRun(clock, bytesPerSecond);
  const state = ShardState.create(task, () => moved?.(run));
  return scanShard(task, { disk, task: run.taskOf(state), state, budget: run.budgetOf(state) });
}

/** A database of one shard with these keys, 8 bytes each, and values of 8 bytes. */
export function writeKeys(db: SampleDatabase, keys: readonly Uint8Array[]): void {
  const layout = slotLayout(8, 8);
  const slots = Buffer.alloc(keys.length * layout.slotSize);
  for (const [slot, key] of keys.entries()) {
    const image = slots.subarray(slot * layout.slotSize, (slot + 1) * layout.slotSize);
    encodeOccupiedSlot(image, layout, packMeta(STATUS_OCCUPIED, 1), key, new Uint8Array(8));
  }
  writeSlots(db, slots);
}

/** Makes it a database of one shard of 8x8 in which no slot was ever used. */
export function writeNeverUsed(db: SampleDatabase, slotCount: number): void {
  writeSlots(db, Buffer.alloc(slotCount * slotLayout(8, 8).slotSize));
}

function writeSlots(db: SampleDatabase, slots: Buffer): void {
  const layout = slotLayout(8, 8);
  db.write("db.meta", encodeDbMeta({ shardCount: 1, shardPrefixBits: 0 }));
  for (const name of ["shard_001"]) db.remove(name);
  const slotCount = slots.length / layout.slotSize;
  const header = encodeShardHeader({ ...layout, slotCount, shardId: 0, cleanShutdown: 0 });
  db.write(DATA, Buffer.concat([header, slots]));
}
