// Tells whether a connection that has caught up carries the live stream, and whether that stream may have lost events.
//
//   protocol 2   it does, or the leader would have said `shard already streaming`
//   protocol 1   a probe tells: a leader without the stream to give echoes a heartbeat at once; a streaming one never
//                answers, and sends its own first heartbeat 5 s after CaughtUp (wire.md, points 1 to 3)

import type { Clock } from "../io/clock.ts";
import { HEARTBEAT_INTERVAL_MS, PROBE_VERDICT_MS } from "../limits.ts";
import type { ProtocolVersion } from "../wire/messages.ts";
import type { FollowerFigures } from "./follower-figures.ts";
import { RunWatch } from "./run-watch.ts";
import type { ScanPlanner } from "./scan-planner.ts";
import type { ShardLink } from "../link/shard-link.ts";
import { Timers } from "../io/timers.ts";

/** An echo comes well before this; a streaming leader's own heartbeat never does. */
const ECHO_WITHIN_MS = HEARTBEAT_INTERVAL_MS - 500;

export interface StreamWatchOptions {
  readonly clock: Clock;
  readonly figures: FollowerFigures;
  readonly planner: ScanPlanner;
  /** One scan and no more: a stream is not missed. */
  readonly once: boolean;
  guard(run: () => void): void;
  /** Protocol 1: a stream was given again after it was lost, so this is a new leader process. */
  leaderRestarted(): void;
}

export class StreamWatch {
  readonly #options: StreamWatchOptions;
  readonly #timers: Timers<"verdict">;
  readonly #runs = new RunWatch();
  /** When the connection caught up. */
  #caughtUpAtMs: number | null = null;
  /** A live event came: whatever the heartbeats look like, the stream is here. */
  #hasBrought = false;
  #wasLost = false;
  #batchesSinceTick = 0;

  constructor(options: StreamWatchOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
  }

  /** A scan begins: there is no stream yet. */
  scanBegan(): void {
    this.#caughtUpAtMs = null;
    this.#hasBrought = false;
    this.#runs.reset();
  }

  /** CaughtUp came: on protocol 1 nobody says whether a stream follows, so ask. */
  caughtUp(link: ShardLink): void {
    this.#caughtUpAtMs = this.#options.clock.nowMs();
    if (link.session.protocol === 1) link.sendHeartbeat();
  }

  /** The connection has outlived its CaughtUp. */
  believed(link: ShardLink): void {
    if (link.session.protocol === 2) this.#isOurs(2);
    else if (link.expectsHeartbeats && this.#options.figures.streaming === null) {
      const verdict = () => this.#options.guard(() => this.#isOurs(1));
      this.#timers.set("verdict", PROBE_VERDICT_MS, verdict);
    }
  }

  /** A live batch has been applied. */
  batch(link: ShardLink, events: number, full: boolean): void {
    const { figures, planner } = this.#options;
    this.#batchesSinceTick++;
    this.#hasBrought = true;
    if (figures.streaming !== "live") {
      // Where we were held up ourselves, a first heartbeat that came early after CaughtUp was read is no echo.
      const wasPolling = figures.streaming === "polling";
      link.expectsHeartbeats = true;
      this.#isOurs(link.session.protocol);
      if (wasPolling) planner.streamingChanged();
    }
    if (this.#runs.batch(events, full)) planner.lossIsPossible();
  }

  heartbeat(link: ShardLink): void {
    const { clock, figures, planner } = this.#options;
    if (this.#caughtUpAtMs === null) return;
    if (link.session.protocol === 1 && link.expectsHeartbeats && !this.#hasBrought) {
      if (clock.nowMs() - this.#caughtUpAtMs < ECHO_WITHIN_MS) return this.#noneToHave(link);
    }
    if (figures.streaming === null) this.#isOurs(link.session.protocol);
    if (this.#runs.end()) planner.lossIsPossible();
  }

  /** Once a second: a run of full batches ends when nothing more comes. */
  tick(): void {
    if (this.#batchesSinceTick === 0 && this.#runs.end()) this.#options.planner.lossIsPossible();
    this.#batchesSinceTick = 0;
  }

  #isOurs(protocol: ProtocolVersion): void {
    const { figures, planner, leaderRestarted } = this.#options;
    this.#timers.cancel("verdict");
    if (protocol === 1 && this.#wasLost) leaderRestarted();
    this.#wasLost = false;
    figures.streaming = "live";
    figures.showStreaming();
    planner.schedule();
  }

  /** Protocol 1: another connection took the stream, once per leader process. Only scans bring news from here on. */
  #noneToHave(link: ShardLink): void {
    const { figures, planner, once } = this.#options;
    link.expectsHeartbeats = false;
    this.#timers.cancel("verdict");
    figures.streaming = "polling";
    if (!once) {
      figures.log(
        "warn",
        "this leader gives no live stream until it restarts: scanning again and again instead",
      );
    }
    figures.showStreaming();
    planner.streamingChanged();
  }

  /** The connection is gone; `lost` when its stream ended without our doing. */
  ended(lost: boolean): void {
    this.#timers.cancel("verdict");
    if (lost) this.#wasLost = true;
  }

  stop(): void {
    this.#timers.stop();
  }
}
