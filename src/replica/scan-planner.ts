// When the next full scan of a shard is due, and what a whole one means: no shard is ever stale in silence. Starts none itself: it
// calls `start`, and the follower knows whether that is a second connection or the same one opened again.
//
//   live       every --resync; at once when a run of full batches may hide a loss, or slots differ that are not older
//   polling    every --poll, but at most a fifth of the time
//   protocol 2 once more after the first scan that follows a gap: an L2 leader does not empty its ring in between

import type { Clock } from "../io/clock.ts";
import type { ProtocolVersion } from "../wire/messages.ts";
import { distrusted } from "../store/slot-table.ts";
import type { FollowerFigures } from "./follower-figures.ts";
import type { FollowerSettings } from "./follower-types.ts";
import type { ScanRun } from "./scan-run.ts";
import type { ShardBody } from "./shard-body.ts";
import { Timers } from "../io/timers.ts";

/** A scan that must follow a scan: not at once, so that what is in flight can land. */
const SCAN_AGAIN_DELAY_MS = 1_000;
/** Scans in a row to settle differences; what they leave waits for the next scheduled scan. */
const SETTLING_SCANS_MAX = 3;
/** Scanning takes at most a fifth of the time while polling. */
const POLL_PAUSE_PER_SCAN = 4;

export interface ScanPlannerOptions {
  readonly settings: FollowerSettings;
  readonly clock: Clock;
  readonly figures: FollowerFigures;
  /** Starts a scan; does nothing while the connection is not past its own. */
  start(): void;
  guard(run: () => void): void;
}

/** What a whole scan is held against. */
export interface ScanSurroundings {
  readonly body: ShardBody;
  readonly protocol: ProtocolVersion;
  readonly dropsAreTold: boolean;
  readonly firstConnectAtMs: number | null;
}

export class ScanPlanner {
  readonly #options: ScanPlannerOptions;
  readonly #timers: Timers<"scan">;
  #settlingScans = 0;
  #accepting: boolean;
  /** The stream was live and its end was not our doing: on L2 its ring may be full of old events. */
  #gap: boolean;

  constructor(options: ScanPlannerOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#accepting = options.settings.acceptLeader;
    this.#gap = options.settings.followedBefore;
  }

  /** A live stream ended that we did not end. */
  streamLost(): void {
    this.#gap = true;
  }

  /**
   * A scan that is believed: clears leftovers, tells what differs, plans what comes next. Returns true when the shard has
   * caught up, false when another scan must tell first.
   */
  scanIsWhole(scan: ScanRun, around: ScanSurroundings): boolean {
    const { settings, figures } = this.#options;
    const { body } = around;
    const verdict = body.judge.finish();
    for (const slot of verdict.leftovers) body.store.clearSlot(slot);
    body.markWorthClosing();
    body.durability.wrote();
    figures.scanDone(scan, verdict, around.firstConnectAtMs ?? scan.startedAtMs);
    if (verdict.suspects === 0 && verdict.diverged.length === 0) this.#settlingScans = 0;
    if (verdict.diverged.length > 0 && this.#accepting) {
      const slots = verdict.diverged.map((difference) => difference.slot);
      this.#acceptLeader(body, slots);
      return false;
    }
    if (verdict.suspects > 0 && this.#settlingScans < SETTLING_SCANS_MAX) {
      this.#settlingScans++;
      const text = `${verdict.suspects} slots differ and are not older here: scanning again to be sure`;
      figures.log("info", text);
      this.again(SCAN_AGAIN_DELAY_MS);
      return false;
    }
    if (settings.once) return true;
    const ringMayBeOld = around.protocol === 2 && this.#gap && !around.dropsAreTold;
    this.#gap = false;
    if (ringMayBeOld) this.again(2 * SCAN_AGAIN_DELAY_MS);
    else this.schedule();
    return true;
  }

  /** --accept-leader: what is listed as lost is saved and no longer trusted, so that the next scan decides. */
  #acceptLeader(body: ShardBody, slots: readonly number[]): void {
    const { settings, figures } = this.#options;
    this.#accepting = false;
    body.intake.save(slots);
    for (const slot of slots) body.applier.setSlot(slot, distrusted(body.applier.word(slot)), 0);
    const log = `armdb-reset-${settings.shard}.log`;
    figures.log(
      "warn",
      `${slots.length} slots are saved in ${log}; the next scan takes the leader's`,
    );
    this.again(0);
  }

  /** The next scan by the calendar, unless one is due already. */
  schedule(): void {
    const { settings, figures } = this.#options;
    if (settings.once || figures.scansDone === 0 || this.#timers.has("scan")) return;
    const tookMs = figures.lastScanTookMs ?? 0;
    const delayMs =
      figures.streaming === "polling"
        ? Math.max(settings.pollMs, POLL_PAUSE_PER_SCAN * tookMs)
        : settings.resyncMs;
    if (delayMs !== null) this.again(delayMs);
  }

  /** A run of full batches has ended that was long enough to hide a loss. */
  lossIsPossible(): void {
    const text = "a long run of full batches: events may have been dropped, scanning again";
    this.#options.figures.log("info", text);
    this.again(SCAN_AGAIN_DELAY_MS);
  }

  /** The stream is known to be had or not: what was planned for the other case is planned anew. */
  streamingChanged(): void {
    this.#timers.cancel("scan");
    this.schedule();
  }

  again(delayMs: number): void {
    this.#timers.set("scan", delayMs, () => this.#options.guard(() => this.#options.start()));
  }

  /** The connection is gone: the next one begins with a scan anyway. */
  cancel(): void {
    this.#timers.cancel("scan");
  }

  stop(): void {
    this.#timers.stop();
  }
}
