// A shard store on a disk that writes every call down, over the plain applier: for tests of what is written, and when.

import { slotLayout } from "../../src/format/slot.ts";
import { PlainApplier } from "../../src/replica/apply/plain-applier.ts";
import type { BatchApplier } from "../../src/replica/apply/batch-applier.ts";
import { SharedCells } from "../../src/replica/threads/shared-cells.ts";
import { OWN_NEW_FILES } from "../../src/store/ownership.ts";
import { ShardStore, type ShardStoreOptions } from "../../src/store/shard-store.ts";
import { type BatchRow, batchPayload } from "./applier-batches.ts";
import { ManualClock } from "./manual-clock.ts";
import { type DiskCall, RecordingDisk } from "./recording-disk.ts";

export const STORE_DIR = "/db";
export const STORE_SHARD = 1;
export const STORE_LAYOUT = slotLayout(8, 16);
export const DATA_PATH = `${STORE_DIR}/shard_001/fixed.data`;

export class StoreStage {
  readonly clock = new ManualClock();
  readonly disk = new RecordingDisk(() => this.clock.nowMs());
  readonly warnings: string[] = [];
  readonly cells = new SharedCells();
  readonly options: ShardStoreOptions;

  constructor(more: Pick<ShardStoreOptions, "tap"> = {}) {
    const { disk, clock } = this;
    this.options = {
      ...{ disk, clock, dir: STORE_DIR, shard: STORE_SHARD, layout: STORE_LAYOUT },
      ...{ owner: OWN_NEW_FILES, attention: this.cells, ...more },
      warn: (text) => void this.warnings.push(text),
    };
    this.disk.makeDirectory(STORE_DIR);
    this.disk.syncDirectory("/");
    this.disk.calls.length = 0;
  }

  create(slotCount: number): ShardStore<BatchApplier> {
    return ShardStore.create(this.options, slotCount, newTable);
  }

  open(): ShardStore<BatchApplier> {
    return ShardStore.open(this.options, newTable);
  }

  /** What was called since the last time, without reads: `write 4096+32`, `fdatasync`; other files by their name. */
  callsSince(): string[] {
    const calls = this.disk.calls.filter(({ operation }) => operation !== "read").map(callText);
    this.disk.calls.length = 0;
    return calls;
  }
}

function newTable(slotCount: number): BatchApplier {
  return new PlainApplier(STORE_SHARD, STORE_LAYOUT, slotCount);
}

/** Applies rows to a store's table; they are pending then. */
export function applyRows(store: ShardStore<BatchApplier>, rows: readonly BatchRow[]): void {
  const payload = batchPayload(STORE_SHARD, STORE_LAYOUT, 2, rows);
  const outcome = store.table.apply(payload, { protocol: 2, purpose: "scan", resetsSaved: true });
  if (outcome.kind !== "applied") throw new Error(JSON.stringify(outcome));
}

function callText(call: DiskCall): string {
  const place = call.offset === undefined ? "" : ` ${call.offset}`;
  const length = call.data === undefined ? "" : `+${call.data.length}`;
  const name = call.path === DATA_PATH ? "" : ` ${call.path.replace(`${STORE_DIR}/`, "")}`;
  const to = call.to === undefined ? "" : ` -> ${call.to.replace(`${STORE_DIR}/`, "")}`;
  return `${call.operation}${place}${length}${name}${to}`;
}
