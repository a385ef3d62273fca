// The disk side of a shard follower: its store, the rules over it, durability and the cursor, opened once the shard is
// known and closed in good order or left as it is. Knows nothing of links.

import { join } from "node:path";
import { ArmdbError, type PlainError, toPlainError } from "../errors.ts";
import { CURSOR_BYTES, CURSOR_FILE, decodeCursor, encodeCursor } from "../format/cursor.ts";
import { shardDirectory } from "../format/routing.ts";
import type { SlotLayout } from "../format/slot.ts";
import type { Clock } from "../io/clock.ts";
import type { Disk } from "../io/disk.ts";
import type { Flusher } from "../io/flusher.ts";
import type { Attention } from "../store/attention.ts";
import { readSmallFile } from "../store/read-file.ts";
import { ShardStore, type ShardStoreOptions } from "../store/shard-store.ts";
import type { BatchApplier } from "./apply/batch-applier.ts";
import { BatchIntake } from "./batch-intake.ts";
import { Durability } from "./durability.ts";
import type { FollowerSettings } from "./follower-types.ts";
import { ScanJudge } from "./apply/scan-judge.ts";

/** Why files that nothing was written to are not clean. */
export const LEFT_AS_FOUND = "as an earlier run left it: nothing came from the leader";

export interface ShardBodyTools {
  readonly disk: Disk;
  readonly clock: Clock;
  /** A flusher for the shard's directory; the shard's files exist by then. */
  newFlusher(shardDirectory: string): Flusher;
  newApplier(shard: number, layout: SlotLayout, slotCount: number): BatchApplier;
  readonly attention: Attention;
}

export class ShardBody {
  readonly store: ShardStore<BatchApplier>;
  readonly intake: BatchIntake;
  readonly judge: ScanJudge;
  readonly durability: Durability;
  readonly #tools: ShardBodyTools;
  readonly #shard: number;
  readonly #flusher: Flusher;
  readonly #warn: (text: string) => void;
  /** What the cursor says that is saved. */
  #saved: { readonly appliedTotal: bigint; readonly maxVersionSeen: number } | null;
  /** The cursor is an earlier run's, or --accept-leader let versions go back: the next whole scan counts anew. */
  doubtsVersions: boolean;
  #worthClosing = false;
  #closed = false;
  /** Why there is no room for its cursor; null: it is saved. */
  saveError: string | null = null;
  /** Once it is closed without an error: why its files are not clean; null: they are. */
  unclean: string | null = null;

  /**
   * Opens the shard's files, or makes them with `slotCount` slots. Throws ArmdbError: damaged, no-space,
   * storage.
   */
  constructor(
    settings: FollowerSettings,
    layout: SlotLayout,
    newSlotCount: number | null,
    tools: ShardBodyTools,
    told: { failed(error: PlainError): void; warn(text: string): void },
  ) {
    const { dir, shard, owner, saved } = settings;
    const { warn } = told;
    this.#warn = warn;
    const options: ShardStoreOptions = { ...tools, dir, shard, layout, owner, warn };
    const newTable = (slotCount: number) => tools.newApplier(shard, layout, slotCount);
    const directory = join(dir, shardDirectory(shard));
    const cursorPath = join(directory, CURSOR_FILE);
    const cursorBytes = readSmallFile(tools.disk, cursorPath, CURSOR_BYTES);
    const cursor = cursorBytes === null ? null : decodeCursor(cursorBytes);
    this.store =
      newSlotCount === null
        ? ShardStore.open(options, newTable)
        : ShardStore.create(options, newSlotCount, newTable);
    this.#tools = tools;
    this.#shard = shard;
    this.intake = new BatchIntake({
      ...tools,
      dir,
      owner,
      store: this.store,
      // The cursor may be older than what a thread that died had said.
      appliedTotal: greaterOf(cursor?.appliedTotal ?? 0n, saved.counted.appliedTotal ?? 0n),
      maxVersionSeen: cursor?.maxVersionSeen ?? 0,
    });
    this.#saved = cursor;
    this.doubtsVersions = cursor !== null;
    this.judge = new ScanJudge(this.store.table);
    this.#flusher = tools.newFlusher(directory);
    this.durability = new Durability({
      clock: tools.clock,
      flusher: this.#flusher,
      store: this.store,
      policy: settings.sync,
      cursorToSave: () => this.#cursorToSave(),
      cursorDone: (unsaved) => this.#cursorDone(unsaved),
      failed: (error) => told.failed(error),
    });
  }

  /** It was made, or a scan came through: from now on a stop leaves the files closed clean, as after anything that was written. */
  markWorthClosing(): void {
    this.#worthClosing = true;
  }

  /** The cursor of what is written by now; null when it says what is saved already. */
  #cursorToSave(): Uint8Array | null {
    const { appliedTotal, maxVersionSeen } = this.intake;
    const saved = this.#saved;
    if (saved?.appliedTotal === appliedTotal && saved.maxVersionSeen === maxVersionSeen)
      return null;
    this.#saved = { appliedTotal, maxVersionSeen };
    const lastAckAtMs = BigInt(Math.trunc(this.#tools.clock.wallMs()));
    return encodeCursor({ shardId: this.#shard, appliedTotal, maxVersionSeen, lastAckAtMs });
  }

  /** It is for people: a follower goes on without. Said once for the same reason. */
  #cursorDone(unsaved: PlainError | null): void {
    const reason = unsaved?.message ?? null;
    if (reason !== null) {
      this.#saved = null;
      if (reason !== this.saveError) this.#warn(reason);
    }
    this.saveError = reason;
  }

  /**
   * Closes in good order once no sync is under way: data, sidecar, flag, cursor. `done` gets the error that
   * kept it from that; the files are then left as they are.
   */
  close(done: (error: PlainError | null) => void): void {
    this.durability.stop((syncError) => {
      this.#flusher.stop();
      if (this.#closed) return done(null);
      this.#closed = true;
      if (syncError !== null) {
        this.store.abandon();
        return done(syncError);
      }
      try {
        this.intake.writePending();
        if (this.#worthClosing || this.store.isChanged) this.#closeClean();
        else this.#leaveAsFound();
      } catch (thrown) {
        if (!(thrown instanceof ArmdbError)) throw thrown;
        return done(toPlainError(thrown));
      }
      done(null);
    });
  }

  #closeClean(): void {
    const { sidecar, cursor } = this.store.closeClean(this.#cursorToSave());
    if (sidecar !== null) {
      this.unclean = "no space for fixed.versions: the next start reads every slot";
      this.#warn(sidecar.message);
    }
    if (cursor !== null) this.#cursorDone(toPlainError(cursor));
  }

  /** Of what may not even be this leader's copy nothing is touched. */
  #leaveAsFound(): void {
    if (!this.store.isClean) this.unclean = LEFT_AS_FOUND;
    this.store.abandon();
  }

  /** Lets go of everything as it is: after a failed write or sync nothing more may be promised. */
  abandon(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.durability.stop(() => this.#flusher.stop());
    this.store.abandon();
  }
}

function greaterOf(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
