// Takes a batch into a shard: growth, saving what a reset would clear, the rules of the applier, the counters. All that the
// follower does with a payload except reading it from a link and acking it.

import { assert } from "../errors.ts";
import { STATUS_INVALID, statusOf, versionOf } from "../format/slot.ts";
import type { Clock } from "../io/clock.ts";
import type { Disk } from "../io/disk.ts";
import { SLOW_WRITE_MS } from "../limits.ts";
import { requireNames } from "../store/held-files.ts";
import { type SavedBy, saveResetSlots } from "../store/reset-log.ts";
import type { NewFileOwner } from "../store/ownership.ts";
import type { ShardStore } from "../store/shard-store.ts";
import type { ProtocolVersion } from "../wire/messages.ts";
import type { BatchProblem } from "../wire/slot-batch.ts";
import {
  type AppliedBatch,
  type BatchApplier,
  type BatchPurpose,
  PENDING_BYTES_FULL,
} from "./apply/batch-applier.ts";

export interface BatchIntakeOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly dir: string;
  readonly owner: NewFileOwner;
  readonly store: ShardStore<BatchApplier>;
  /** Where the cursor of an earlier run stood. */
  readonly appliedTotal: bigint;
  readonly maxVersionSeen: number;
}

/** A batch that cannot be true; nothing of it was applied. */
export interface RefusedBatch {
  readonly kind: "refused";
  readonly reason: string;
}

export class BatchIntake {
  readonly #options: BatchIntakeOptions;
  /** Applied in memory but not yet handed to the system; in numbers for the leader only what is written counts. */
  #takenPending = 0;
  appliedTotal: bigint;
  skippedTotal = 0n;
  replacedTotal = 0;
  resetsSaved = 0;
  maxVersionSeen: number;
  /** The last write that took long: when it ended, and how long that was. */
  slowWrite: { readonly endedAtMs: number; readonly tookMs: number } | null = null;

  constructor(options: BatchIntakeOptions) {
    this.#options = options;
    this.appliedTotal = options.appliedTotal;
    this.maxVersionSeen = options.maxVersionSeen;
  }

  /** Validates and applies one batch; disk errors are thrown. */
  take(
    payload: Uint8Array,
    protocol: ProtocolVersion,
    purpose: BatchPurpose,
  ): AppliedBatch | RefusedBatch {
    const { store } = this.#options;
    const applier = store.table;
    let outcome = applier.apply(payload, { protocol, purpose, resetsSaved: false });
    if (outcome.kind === "grow") {
      const reason = store.slotProblem(outcome.slotMax);
      if (reason !== null) return { kind: "refused", reason: `The peer sent ${reason}` };
      this.writePending();
      const { slotMax } = outcome;
      this.#timed(() => store.growFor(slotMax));
      outcome = applier.apply(payload, { protocol, purpose, resetsSaved: false });
    }
    if (outcome.kind === "save-first") {
      this.save(outcome.slots, "leader");
      outcome = applier.apply(payload, { protocol, purpose, resetsSaved: true });
    }
    if (outcome.kind === "problem") {
      return { kind: "refused", reason: batchProblemText(outcome.problem) };
    }
    assert(outcome.kind === "applied", "a batch that asks again for what was done");
    this.#takenPending += outcome.taken;
    this.skippedTotal += BigInt(outcome.events - outcome.taken);
    this.replacedTotal += outcome.replaced;
    if (outcome.versionMax > this.maxVersionSeen) this.maxVersionSeen = outcome.versionMax;
    if (applier.pendingBytes >= PENDING_BYTES_FULL) this.writePending();
    return outcome;
  }

  /** Saves what these slots hold, durably, before something clears them. */
  save(slots: readonly number[], by: SavedBy): void {
    if (slots.length === 0) return;
    const { disk, clock, dir, owner, store } = this.#options;
    this.writePending();
    requireNames(disk, store.held.names);
    const saved = function* () {
      for (const slot of slots) yield { slot, bytes: store.readSlot(slot) };
    };
    saveResetSlots(disk, dir, store.shard, store.layout, owner, clock.wallMs(), by, saved());
    if (by === "leader") this.resetsSaved += slots.length;
  }

  /** Versions went back, or an earlier run's cursor is not sure: what is not here any more was not seen. */
  recountVersions(): void {
    const applier = this.#options.store.table;
    let greatest = 0;
    for (let slot = 0; slot < applier.slotCount; slot++) {
      const word = applier.word(slot);
      if (statusOf(word) !== STATUS_INVALID) greatest = Math.max(greatest, versionOf(word));
    }
    this.maxVersionSeen = Math.min(this.maxVersionSeen, greatest);
  }

  #timed(write: () => void): void {
    const { clock } = this.#options;
    const startMs = clock.nowMs();
    write();
    const endedAtMs = clock.nowMs();
    const tookMs = endedAtMs - startMs;
    if (tookMs > SLOW_WRITE_MS) this.slowWrite = { endedAtMs, tookMs };
  }

  /** Hands everything applied to the system; from then on it counts as applied. */
  writePending(): void {
    this.#timed(() => this.#options.store.writePending());
    this.appliedTotal += BigInt(this.#takenPending);
    this.#takenPending = 0;
  }
}

function batchProblemText(problem: BatchProblem): string {
  const at = `event ${problem.event}`;
  switch (problem.fault) {
    case "too-short":
      return "The peer sent a SlotBatch that is too short for its count";
    case "other-shard":
      return "The peer sent a SlotBatch of another shard";
    case "count-exceeds-payload":
      return "The peer sent a SlotBatch whose count its bytes cannot hold";
    case "event-truncated":
      return `The peer sent a SlotBatch that ends inside ${at}`;
    case "status-invalid":
      return `The peer sent a SlotBatch with status 3 in ${at}`;
  }
}
