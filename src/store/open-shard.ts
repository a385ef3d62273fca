// The data file of one shard, made anew or opened, with its names: durable, or as the disk has it, before anything relies on it. Used
// by shard-store.ts.

import { join } from "node:path";
import { shardDirectory } from "../format/routing.ts";
import { encodeShardHeader, SHARD_FILE, type ShardHeader } from "../format/shard-header.ts";
import type { SlotLayout } from "../format/slot.ts";
import type { Clock } from "../io/clock.ts";
import type { Disk, DiskFile } from "../io/disk.ts";
import { type Attention, during } from "./attention.ts";
import { directoryModeFor, type NewFileOwner } from "./ownership.ts";
import { readShardHeader } from "./shard-file.ts";
import { type Reserved, reserveSlots } from "./shard-growth.ts";
import type { ShardTap } from "./slot-table.ts";

export interface ShardStoreOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  /** Database directory. */
  readonly dir: string;
  readonly shard: number;
  readonly layout: SlotLayout;
  readonly owner: NewFileOwner;
  readonly attention: Attention;
  readonly tap?: ShardTap;
  /** Something that an operator should know, and that is no error. */
  warn(text: string): void;
}

/**
 * Makes the file of a new shard of exactly `slotCount` never-used slots, durable. A leftover directory of a creation that was cut
 * short is taken over.
 */
export function makeShardFile(
  options: ShardStoreOptions,
  slotCount: number,
): { readonly file: DiskFile; readonly reserved: Reserved } {
  const { disk, dir, shard, layout, owner, attention, clock } = options;
  const directory = join(dir, shardDirectory(shard));
  if (disk.facts(directory) === null) {
    disk.makeDirectory(directory, 0o700);
    if (owner.uid !== null) disk.own(directory, owner.uid, owner.gid, directoryModeFor(owner.mode));
  }
  // Also for a leftover: whoever made it may have been killed before this.
  disk.syncDirectory(dir);
  const path = join(directory, SHARD_FILE);
  const file = disk.open(path, "create", owner.mode);
  try {
    if (owner.uid !== null) file.own(owner.uid, owner.gid, owner.mode);
    const all = { slotCount: 0, slotSize: layout.slotSize, wanted: slotCount, needed: slotCount };
    const reserved = during(attention, "fallocate", clock.nowMs(), () =>
      reserveSlots(disk, file, all),
    );
    file.write(encodeShardHeader({ ...layout, slotCount, shardId: shard, cleanShutdown: 0 }), 0);
    during(attention, "fsync", clock.nowMs(), () => file.sync());
    disk.syncDirectory(directory);
    return { file, reserved };
  } catch (thrown) {
    // What it holds in memory may never reach the disk: the next start must not take it for a shard.
    file.close();
    disk.remove(path);
    throw thrown;
  }
}

/**
 * Opens the file of a shard: first an fsync and a drop of the page cache, as a killed predecessor's writes may be in memory only, and
 * what counts is what the disk holds.
 */
export function openShardFile(options: ShardStoreOptions): {
  readonly file: DiskFile;
  readonly header: ShardHeader;
} {
  const { disk, dir, shard, layout, attention, clock } = options;
  const directory = join(dir, shardDirectory(shard));
  const file = disk.open(join(directory, SHARD_FILE), "write");
  try {
    during(attention, "fsync", clock.nowMs(), () => {
      file.sync();
      file.dropCache();
      // Its names too: a predecessor may have been killed between making and syncing them.
      disk.syncDirectory(directory);
      disk.syncDirectory(dir);
    });
    return { file, header: readShardHeader(file, shard, layout) };
  } catch (thrown) {
    file.close();
    throw thrown;
  }
}
