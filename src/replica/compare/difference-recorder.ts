// Compares a shard with its leader while it is followed: holds its file against the table, has the follower scan again, and notes what
// the scan finds. Used by shard-follower.ts; the rounds over all shards and the names of the kinds are status/follower-compare.ts.
//
//   idle -> reading    the file, a little at a time: slots whose bytes are not what the table says are no longer trusted, so that
//                      the scan writes them anew
//        -> wanted     a scan is asked for, once: it is owed until one that begins later was whole
//        -> recording  the scan runs; a slot that the live stream brings within 5 s was on its way, not lost
//        -> settling   the scan was whole; the last slots get their 5 s
//        -> idle       what is left is handed over

import type { Clock, Timer } from "../../io/clock.ts";
import { DiskError } from "../../io/disk.ts";
import type { ProtocolVersion } from "../../wire/messages.ts";
import { HEALED_AFTER_MS } from "../apply/healed-watch.ts";
import { SlotColumns } from "../apply/slot-columns.ts";
import type { ScanKind } from "../machine/types.ts";
import type { ShardBody } from "../shard-body.ts";
import type { CompareEvent } from "./compare-types.ts";
import { inFlightMax, LiveRate } from "./live-rate.ts";
import { RecordedScan } from "./recorded-scan.ts";
import type { ScanLook, ScanObserver } from "./scan-observer.ts";

/** The thread reads its socket in between. */
const READ_SLICE_MS = 5;
/** A scan that has not begun by then, or not begun again after it broke, will not come soon. */
const BEGIN_LIMIT_MS = 60_000;
const BROKEN_SCANS_MAX = 3;
const PROGRESS_INTERVAL_MS = 250;
/** A stream that was away for longer was lost, not opened again: what was written meanwhile was missing here. */
const REOPENING_MS_MAX = 5_000;

export interface DifferenceRecorderOptions {
  readonly clock: Clock;
  /** Null before the shard's files are made. */
  body(): ShardBody | null;
  /** Asks the follower for a scan that begins after this. */
  rescan(): void;
}

interface Recording {
  readonly link: number;
  readonly body: ShardBody;
  readonly kind: ScanKind;
  readonly scan: RecordedScan;
  /** Events a ms before the stream was closed, and for how long it was away; null where it was not closed for this. */
  readonly gap: { readonly perMs: number; readonly ms: number } | null;
}

export class DifferenceRecorder implements ScanObserver {
  readonly #options: DifferenceRecorderOptions;
  readonly #rate: LiveRate;
  /** What the phase waits for. */
  #timer: Timer | null = null;
  #phase: "idle" | "reading" | "wanted" | "recording" | "settling" = "idle";
  #recording: Recording | null = null;
  #differencesMax = 0;
  #spoilt = new SlotColumns();
  #send: (event: CompareEvent) => void = () => {};
  #brokenScans = 0;
  #progressAtMs = 0;
  #streamEndedAtMs: number | null = null;

  constructor(options: DifferenceRecorderOptions) {
    this.#options = options;
    this.#rate = new LiveRate(options.clock.nowMs());
  }

  /** Starts a comparison; `send` gets events until `compared` or `failed`. One at a time. */
  start(differencesMax: number, send: (event: CompareEvent) => void): void {
    this.stop();
    this.#send = send;
    this.#differencesMax = differencesMax;
    this.#brokenScans = 0;
    const spoilt = new SlotColumns(differencesMax);
    this.#spoilt = spoilt;
    const body = this.#options.body();
    // What is not there cannot have gone bad.
    if (body === null) return this.#want();
    this.#phase = "reading";
    this.#read(
      body,
      body.store.check((slot, word) => spoilt.add(slot, word, 0, 0)),
    );
  }

  /** Gives up the comparison under way without a word. The scan itself goes on as any other. */
  stop(): void {
    this.#phase = "idle";
    this.#timer?.cancel();
    this.#recording = null;
  }

  #read(body: ShardBody, chunks: Generator<void>): void {
    const { clock } = this.#options;
    const untilMs = clock.nowMs() + READ_SLICE_MS;
    try {
      // Between two chunks of the socket all that was applied is written: the table says what the file should.
      do {
        if (chunks.next().done === true) return this.#want();
      } while (clock.nowMs() < untilMs);
    } catch (thrown) {
      // A file that cannot be read ends the comparison, not the shard: what follows does not read.
      if (!(thrown instanceof DiskError)) throw thrown;
      return this.#fail(thrown.message);
    }
    this.#timer = clock.after(0, () => this.#read(body, chunks));
  }

  #want(): void {
    this.#phase = "wanted";
    this.#timer = this.#options.clock.after(BEGIN_LIMIT_MS, () =>
      this.#fail(`no new scan could begin within ${BEGIN_LIMIT_MS / 1000} s`),
    );
    this.#options.rescan();
  }

  #fail(reason: string): void {
    this.stop();
    this.#send({ kind: "failed", reason });
  }

  // ---- what the follower shows ----

  scanBegan(link: number, body: ShardBody, kind: ScanKind): ScanLook | null {
    if (this.#phase !== "wanted") return null;
    if (kind === "first") {
      // What a first scan brings was not here yet: that is no difference, and the next scan tells.
      this.#options.rescan();
      return null;
    }
    this.#timer?.cancel();
    this.#phase = "recording";
    this.#progressAtMs = this.#options.clock.nowMs();
    const scan = new RecordedScan(body.store.table, this.#spoilt, this.#differencesMax);
    const recording = { link, body, kind, scan, gap: this.#gapBefore(kind) };
    this.#recording = recording;
    const ifStill = (run: () => void) => {
      if (this.#phase === "recording" && this.#recording === recording) run();
    };
    return {
      batch: ({ differences, slotLast }) =>
        ifStill(() => {
          scan.add(differences, this.#options.clock.nowMs());
          this.#progress(body, slotLast);
        }),
      whole: () => ifStill(() => this.#whole(recording)),
      broke: (reason) => ifStill(() => this.#broke(reason)),
    };
  }

  streamBatch(payload: Uint8Array, protocol: ProtocolVersion, events: number): void {
    const nowMs = this.#options.clock.nowMs();
    this.#rate.add(nowMs, events);
    if (this.#recording === null) return;
    const { kind, scan, body } = this.#recording;
    // After a scan that the stream restarted with, the stream begins only now: all that was found may be on its way.
    const sinceMs = kind === "beside" ? nowMs - HEALED_AFTER_MS : 0;
    scan.explain(payload, body.store.layout, protocol, sinceMs);
  }

  streamEnded(): void {
    this.#streamEndedAtMs = this.#options.clock.nowMs();
  }

  // ---- the scan under way ----

  #progress({ store: { slotCount: total } }: ShardBody, slotLast: number): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#progressAtMs < PROGRESS_INTERVAL_MS) return;
    this.#progressAtMs = nowMs;
    this.#send({ kind: "progress", done: Math.min(slotLast + 1, total), total });
  }

  #broke(reason: string): void {
    this.stop();
    this.#brokenScans++;
    if (this.#brokenScans < BROKEN_SCANS_MAX) this.#want();
    else this.#fail(`the scan broke off ${this.#brokenScans} times: ${reason}`);
  }

  #whole({ scan, kind, gap, body }: Recording): void {
    this.#phase = "settling";
    scan.finish(this.#options.clock.nowMs());
    // Without a stream nothing can come that would explain anything.
    const canBeExplained = kind === "beside" || gap !== null;
    const settleMs = canBeExplained && scan.isOpen ? HEALED_AFTER_MS : 0;
    this.#timer = this.#options.clock.after(settleMs, () => {
      const result = scan.result(body.store.slotCount, this.#inFlightMax(gap));
      this.stop();
      this.#send({ kind: "compared", scan: result });
    });
  }

  #gapBefore(kind: ScanKind): Recording["gap"] {
    const nowMs = this.#options.clock.nowMs();
    if (kind === "beside" || this.#streamEndedAtMs === null) return null;
    const ms = nowMs - this.#streamEndedAtMs;
    return ms > REOPENING_MS_MAX ? null : { ms, perMs: this.#rate.perMs(this.#streamEndedAtMs) };
  }

  /** More slots than this were not written while the stream was opened again, as fast as this leader writes. */
  #inFlightMax(gap: Recording["gap"]): number {
    if (gap === null) return 0;
    const perMs = Math.max(gap.perMs, this.#rate.perMs(this.#options.clock.nowMs()));
    return inFlightMax(perMs, gap.ms);
  }
}
