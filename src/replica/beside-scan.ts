// A full scan on a second connection, beside a live stream that goes on (protocol 1; wire.md, point 4). Compares and mends as
// it goes; what it wrote and the stream does not bring within 5 s counts as healed. Its owner decides when one is wanted and
// what its end means.

import type { Net } from "../io/net.ts";
import type { Clock } from "../io/clock.ts";
import { CAUGHT_UP_CONFIRM_MS } from "../limits.ts";
import type { AckPacer } from "./ack-pacer.ts";
import type { FollowerFigures } from "./follower-figures.ts";
import type { HealedWatch } from "./healed-watch.ts";
import type { ScanObserver } from "./scan-observer.ts";
import { ScanRun } from "./scan-run.ts";
import type { SessionEvent } from "../link/session.ts";
import type { ShardBody } from "./shard-body.ts";
import { ShardLink, type ShardLinkEnd, type ShardLinkOptions } from "../link/shard-link.ts";
import { Timers } from "../io/timers.ts";

export interface BesideScanOptions {
  readonly net: Net;
  readonly clock: Clock;
  readonly link: Omit<ShardLinkOptions, "protocol" | "isEmpty">;
  readonly body: ShardBody;
  readonly figures: FollowerFigures;
  readonly healed: HealedWatch;
  readonly observer: ScanObserver;
  /** The main connection streams, or may yet turn out to. */
  readonly hasStream: boolean;
  newPacer(link: ShardLink): AckPacer;
  /** The chunk's batches are applied: write and ack. */
  chunkEnded(link: ShardLink, acks: AckPacer | null): void;
  /** Runs a handler where an explained failure ends the shard. */
  guard(run: () => void): void;
  /** CaughtUp came, the connection stayed open, and is closed now; `adds`: the totals agree. */
  finished(scan: ScanRun, adds: boolean): void;
  /** The connection ended before that. */
  failed(end: ShardLinkEnd): void;
}

export class BesideScan {
  readonly #options: BesideScanOptions;
  readonly #timers: Timers<"confirm">;
  readonly #link: ShardLink;
  #acks: AckPacer | null = null;
  #scan: ScanRun | null = null;
  #over = false;

  /** Connects at once. */
  constructor(options: BesideScanOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    // Before the leader can read its first slot: what the stream brings from here on may be newer than what the scan shows.
    options.body.judge.begin();
    const linkOptions = { ...options.link, protocol: 1, isEmpty: false } as const;
    this.#link = new ShardLink(options.net, options.clock, linkOptions);
    this.#link.start({
      received: (link, event) => options.guard(() => this.#received(link, event)),
      chunkEnded: (link) => options.guard(() => options.chunkEnded(link, this.#acks)),
      ended: (_link, end) => options.guard(() => this.#ended(end)),
    });
  }

  #received(link: ShardLink, event: SessionEvent): void {
    if (this.#over) return;
    const { body, clock, figures, hasStream } = this.#options;
    switch (event.kind) {
      case "shard-info":
        body.intake.writePending();
        this.#scan = new ScanRun(
          figures.streaming === "polling" ? "rescan" : "beside",
          clock.nowMs(),
        );
        this.#acks = this.#options.newPacer(link);
        this.#acks.sendAhead();
        figures.scanBegan(this.#scan, link);
        figures.showScanBeside();
        this.#options.observer.scanBegan({ body, kind: "beside", hasStream });
        return;
      case "batch":
        if (link.session.phase === "scanning") this.#batch(link, event.payload);
        return;
      case "caught-up":
        return this.#caughtUp(event.adds);
      case "heartbeat":
      case "leader-error":
      case "violation":
        return;
    }
  }

  #batch(link: ShardLink, payload: Uint8Array): void {
    const { body, clock, figures, healed, observer } = this.#options;
    // What the stream has brought goes out first, so that the writes below are the scan's alone.
    body.intake.writePending();
    observer.scanBatch(payload, 1);
    const outcome = body.intake.take(payload, 1, "scan");
    if (outcome.kind === "refused") {
      link.fail({ kind: "violation", reason: outcome.reason, beforeShardInfo: false });
      return;
    }
    if (this.#scan !== null) this.#scan.taken += outcome.taken;
    body.judge.note(outcome.differences);
    observer.scanBatchApplied();
    if (outcome.taken > 0) {
      const nowMs = clock.nowMs();
      body.intake.writePending((slot, slots) => {
        // Without a stream nothing else could have brought it: that is counted as rescanned.
        if (this.#scan?.kind === "beside") figures.healed += healed.wrote(slot, slots, nowMs);
      });
      body.durability.wrote();
    }
    this.#acks?.applied(payload.length);
  }

  #caughtUp(adds: boolean): void {
    const scan = this.#scan;
    if (scan === null) return;
    scan.caughtUpAtMs = this.#options.clock.nowMs();
    this.#timers.set("confirm", CAUGHT_UP_CONFIRM_MS, () =>
      this.#options.guard(() => {
        this.close();
        this.#options.finished(scan, adds);
      }),
    );
  }

  #ended(end: ShardLinkEnd): void {
    if (this.#over) return;
    this.close();
    this.#options.failed(end);
  }

  /** Gives it up; nothing is called back after this. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#timers.stop();
    this.#acks?.stop();
    this.#options.figures.linkEnded(this.#link);
    this.#link.close();
  }
}
