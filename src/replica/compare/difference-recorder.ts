// Compares a shard with its leader while it is followed: has the follower scan again and notes, before anything is mended,
// each slot in which the scan differs from the file. Used by shard-thread.ts; the
// rounds over all shards and the names of the kinds are status/follower-compare.ts.
//
//   idle -> wanted     a scan is asked for, once: it is owed until one that begins later was whole
//        -> recording  the scan runs; a slot that the live stream brings within 5 s was on its way, not lost
//        -> settling   the scan was whole; the last slots get their 5 s
//        -> idle       what is left is handed over
//
// Slots whose bytes on disk are not what the table says are distrusted, so that the same scan writes them anew.

import { STATUS_INVALID, STATUS_OCCUPIED, statusOf } from "../../format/slot.ts";
import type { Clock } from "../../io/clock.ts";
import { type Disk, DiskError } from "../../io/disk.ts";
import { distrusted } from "../../store/slot-table.ts";
import type { ProtocolVersion } from "../../wire/messages.ts";
import { batchEvents, checkBatch, type SlotEvent } from "../../wire/slot-batch.ts";
import { type CompareEvent, SAME_BYTES } from "./compare-types.ts";
import { FoundSlots, mergedColumns } from "./found-slots.ts";
import { HEALED_AFTER_MS } from "../apply/healed-watch.ts";
import { inFlightMax, LiveRate } from "./live-rate.ts";
import type { ObservedScan, ScanObserver } from "./scan-observer.ts";
import { hasRecord, isDifference, isPast } from "./slot-difference.ts";
import { type SeenSlot, SlotLook } from "./slot-look.ts";
import { Timers } from "../../io/timers.ts";

/** A scan that has not begun by then, or not begun again after it broke, will not come soon. */
const BEGIN_LIMIT_MS = 60_000;
const BROKEN_SCANS_MAX = 3;
const PROGRESS_INTERVAL_MS = 250;
/** A stream that was away for longer was lost, not opened again: what was written meanwhile was missing here. */
const REOPENING_MS_MAX = 5_000;

export interface DifferenceRecorderOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  /** The shard's data file. */
  readonly path: string;
  /** Asks the follower for a scan that begins after this. */
  rescan(): void;
}

interface Recording extends ObservedScan {
  readonly look: SlotLook;
  readonly sent: FoundSlots;
  readonly notSent: FoundSlots;
  /** Events a ms before the stream was closed, and for how long it was away; null where it was not closed for this. */
  readonly gap: { readonly perMs: number; readonly ms: number } | null;
  slotLast: number;
  progressAtMs: number;
  /** First entry of `sent` that this batch added, and those whose word was right before. */
  batchStart: number;
  wordWasRight: Set<number>;
  protocol: ProtocolVersion;
}

export class DifferenceRecorder implements ScanObserver {
  readonly #options: DifferenceRecorderOptions;
  readonly #timers: Timers<"begin" | "settle">;
  readonly #rate: LiveRate;
  #phase: "idle" | "wanted" | "recording" | "settling" = "idle";
  #recording: Recording | null = null;
  #differencesMax = 0;
  #send: (event: CompareEvent) => void = () => {};
  #brokenScans = 0;
  #streamEndedAtMs: number | null = null;

  constructor(options: DifferenceRecorderOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#rate = new LiveRate(options.clock.nowMs());
  }

  /** Starts a comparison; `send` gets events until `compared` or `failed`. One at a time. */
  start(differencesMax: number, send: (event: CompareEvent) => void): void {
    if (this.#phase !== "idle") this.stop();
    this.#send = send;
    this.#differencesMax = differencesMax;
    this.#brokenScans = 0;
    this.#want();
  }

  /** Gives up the comparison under way without a word. The scan itself goes on as any other. */
  stop(): void {
    this.#phase = "idle";
    this.#timers.cancel("begin");
    this.#timers.cancel("settle");
    this.#recording?.look.close();
    this.#recording = null;
  }

  #want(): void {
    this.#phase = "wanted";
    this.#timers.set("begin", BEGIN_LIMIT_MS, () =>
      this.#fail(`no new scan could begin within ${BEGIN_LIMIT_MS / 1000} s`),
    );
    this.#options.rescan();
  }

  #fail(reason: string): void {
    this.stop();
    this.#send({ kind: "failed", reason });
  }

  // ---- what the follower shows ----

  scanBegan(scan: ObservedScan): void {
    if (this.#phase !== "wanted") return;
    // What a first scan brings was not here yet: that is no difference, and the next scan tells.
    if (scan.kind === "first") return this.#options.rescan();
    const { disk, clock, path } = this.#options;
    this.#timers.cancel("begin");
    this.#disk(() => {
      this.#recording = {
        ...scan,
        look: new SlotLook(disk, path, scan.body.store.layout),
        sent: new FoundSlots(this.#differencesMax),
        notSent: new FoundSlots(this.#differencesMax),
        gap: this.#gapBefore(scan),
        slotLast: -1,
        progressAtMs: clock.nowMs(),
        batchStart: 0,
        wordWasRight: new Set(),
        protocol: 1,
      };
      this.#phase = "recording";
    });
  }

  scanBatch(payload: Uint8Array, protocol: ProtocolVersion): void {
    const recording = this.#recording;
    if (this.#phase !== "recording" || recording === null) return;
    const { store, intake, durability } = recording.body;
    const checked = checkBatch(payload, store.shard, store.layout, protocol);
    // The follower refuses such a batch itself, and the scan breaks.
    if ("fault" in checked) return;
    intake.writePending();
    durability.wrote();
    recording.look.forget();
    recording.protocol = protocol;
    recording.batchStart = recording.sent.length;
    recording.wordWasRight.clear();
    this.#disk(() => {
      for (const event of batchEvents(payload, store.layout, protocol)) {
        if (this.#phase === "recording") this.#compare(recording, event);
      }
    });
  }

  /** What the batch found is mended where the table now says what the leader says. */
  scanBatchApplied(): void {
    const recording = this.#recording;
    if (this.#phase !== "recording" || recording === null) return;
    const { sent, wordWasRight, protocol, body } = recording;
    for (let index = recording.batchStart; index < sent.length; index++) {
      const slot = sent.slotAt(index);
      // The same version with other bytes: protocol 2 takes the leader's, protocol 1 keeps ours (cli.md: diverged).
      const isMended = wordWasRight.has(slot)
        ? protocol === 2
        : body.applier.word(slot) === sent.thereAt(index);
      if (isMended) sent.mend(index);
    }
    recording.batchStart = sent.length;
    this.#progress(recording);
  }

  scanWhole(): void {
    const recording = this.#recording;
    if (this.#phase !== "recording" || recording === null) return;
    recording.look.forget();
    this.#disk(() => this.#noteNotSent(recording));
    if (this.#phase !== "recording") return;
    this.#phase = "settling";
    // Without a stream nothing can come that would explain anything.
    const canBeExplained = recording.hasStream || recording.gap !== null;
    const isSame = recording.sent.length + recording.notSent.length === 0;
    const settleMs = canBeExplained && !isSame ? HEALED_AFTER_MS : 0;
    this.#timers.set("settle", settleMs, () => this.#finish(recording));
  }

  scanBroke(reason: string): void {
    if (this.#phase !== "recording") return;
    this.stop();
    this.#brokenScans++;
    if (this.#brokenScans < BROKEN_SCANS_MAX) this.#want();
    else this.#fail(`the scan broke off ${this.#brokenScans} times: ${reason}`);
  }

  streamBatch(payload: Uint8Array, protocol: ProtocolVersion, events: number): void {
    const nowMs = this.#options.clock.nowMs();
    this.#rate.add(nowMs, events);
    const recording = this.#recording;
    if (recording === null) return;
    // After a scan that the stream restarted with, the stream begins only now: all that was found may be on its way.
    const sinceMs = recording.kind === "beside" ? nowMs - HEALED_AFTER_MS : 0;
    for (const { slot } of batchEvents(payload, recording.body.store.layout, protocol)) {
      recording.sent.explain(slot, sinceMs);
      recording.notSent.explain(slot, sinceMs);
    }
  }

  streamEnded(): void {
    this.#streamEndedAtMs = this.#options.clock.nowMs();
  }

  // ---- the comparison ----

  #compare(recording: Recording, event: SlotEvent): void {
    const { slot, meta: there } = event;
    if (slot <= recording.slotLast) {
      this.#fail(`the leader's scan is out of order: slot ${slot} after ${recording.slotLast}`);
      return;
    }
    recording.slotLast = slot;
    const { applier, store } = recording.body;
    const seen = recording.look.slot(slot);
    this.#distrustWhatDiffers(recording, slot, seen);
    const sameBytes = hasRecord(seen.bytes, store.layout, event);
    if (!isDifference(seen.word, there, sameBytes)) return;
    if (applier.isTouched(slot) && isPast(seen.word, there)) return;
    const flags = sameBytes ? SAME_BYTES : 0;
    const nowMs = this.#options.clock.nowMs();
    if (recording.sent.add({ slot, here: seen.word, there, flags }, nowMs)) {
      if (slot < applier.slotCount && applier.word(slot) === there) {
        recording.wordWasRight.add(slot);
      }
    }
  }

  /** Occupied slots that the scan skipped and no live event has touched: the leader does not have them. */
  #noteNotSent(recording: Recording): void {
    const { applier } = recording.body;
    const nowMs = this.#options.clock.nowMs();
    for (let slot = 0; slot < applier.slotCount; slot++) {
      if ((applier.word(slot) & 1) === 0 || applier.isSeen(slot) || applier.isTouched(slot)) {
        continue;
      }
      const seen = recording.look.slot(slot);
      this.#distrustWhatDiffers(recording, slot, seen);
      if ((seen.word & 1) === 0) continue;
      const { notSent } = recording;
      if (!notSent.add({ slot, here: seen.word, there: 0, flags: 0 }, nowMs)) continue;
      // What cannot be trusted is cleared at the end of the scan; a good record of ours is kept (cli.md: diverged).
      if (statusOf(applier.word(slot)) === STATUS_INVALID) notSent.mend(notSent.length - 1);
    }
  }

  /** A slot whose file is not what the table holds counts as older than anything, so that the scan writes it anew. */
  #distrustWhatDiffers(recording: Recording, slot: number, seen: SeenSlot): void {
    const { applier } = recording.body;
    if (slot >= applier.slotCount) return;
    const word = applier.word(slot);
    if (statusOf(word) === STATUS_INVALID) return;
    const isSameRecord = statusOf(word) !== STATUS_OCCUPIED || seen.crc === applier.crc(slot);
    if (word === seen.word && isSameRecord) return;
    applier.setSlot(slot, distrusted(word), 0);
  }

  #gapBefore(scan: ObservedScan): Recording["gap"] {
    const nowMs = this.#options.clock.nowMs();
    if (scan.kind === "beside" || this.#streamEndedAtMs === null) return null;
    const ms = nowMs - this.#streamEndedAtMs;
    return ms > REOPENING_MS_MAX ? null : { ms, perMs: this.#rate.perMs(this.#streamEndedAtMs) };
  }

  /** More slots than this were not written while the stream was opened again, as fast as this leader writes. */
  #inFlightMax({ gap }: Recording): number {
    if (gap === null) return 0;
    const perMs = Math.max(gap.perMs, this.#rate.perMs(this.#options.clock.nowMs()));
    return inFlightMax(perMs, gap.ms);
  }

  #finish(recording: Recording): void {
    const { sent, notSent, body } = recording;
    const inFlightMax = this.#inFlightMax(recording);
    this.stop();
    this.#send({
      kind: "compared",
      scan: {
        ...mergedColumns(sent, notSent),
        compared: body.store.slotCount,
        notKept: sent.notKept + notSent.notKept,
        inFlightMax,
      },
    });
  }

  #progress(recording: Recording): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - recording.progressAtMs < PROGRESS_INTERVAL_MS) return;
    recording.progressAtMs = nowMs;
    const total = recording.body.store.slotCount;
    const done = Math.min(recording.slotLast + 1, total);
    this.#send({ kind: "progress", done, total });
  }

  /** A file that cannot be read ends the comparison, not the shard: what follows does not read. */
  #disk(run: () => void): void {
    try {
      run();
    } catch (thrown) {
      if (!(thrown instanceof DiskError)) throw thrown;
      this.#fail(thrown.message);
    }
  }
}
