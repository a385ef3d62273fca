// Follows one shard of a leader: a live connection, scans beside it or in its place, and the decisions between them. Knows
// no thread: the disk, the network, the clock and chance are passed in, and everything it has to say goes to its host.
//
//   connect -> scan -> caught up -> live            events stream; a scan every --resync, and when loss is possible
//                                -> polling         protocol 1 without the stream to give: a scan every --poll
//   any end of the connection -> pause -> connect   (protocol 1: a scan beside the stream is a second connection,
//                                                    protocol 2: the same connection closed and opened again)

import { ArmdbError, type PlainError, toPlainError } from "../errors.ts";
import type { RandomSource } from "../io/clock.ts";
import type { Net } from "../io/net.ts";
import { CAUGHT_UP_CONFIRM_MS, HEARTBEAT_INTERVAL_MS, PROBE_VERDICT_MS } from "../limits.ts";
import { geometryDifferences, layoutOf } from "../store/geometry.ts";
import { distrusted } from "../store/slot-table.ts";
import type { ProtocolVersion, ShardInfo } from "../wire/messages.ts";
import { AckPacer } from "./ack-pacer.ts";
import { Backoff } from "./backoff.ts";
import { BesideScan } from "./beside-scan.ts";
import type { FollowerHost, FollowerSettings, ShardState } from "./follower-types.ts";
import { FollowerFigures } from "./follower-figures.ts";
import { HealedWatch } from "./healed-watch.ts";
import { HeldFrames } from "./held-frames.ts";
import { type Trouble, troubleOf } from "./leader-trouble.ts";
import { RunWatch } from "./run-watch.ts";
import { ScanRun } from "./scan-run.ts";
import type { SessionEvent } from "./session.ts";
import { ShardBody, type ShardBodyTools } from "./shard-body.ts";
import { ShardLink, type ShardLinkEnd } from "./shard-link.ts";
import { Timers } from "./timers.ts";

export interface FollowerTools extends ShardBodyTools {
  readonly net: Net;
  readonly random: RandomSource;
}

/** Pauses before a stream that was just given back is asked for again (wire.md, point 14). */
const SOON_DELAYS_MS = [150, 300, 600, 1_200] as const;
/** A scan that must follow a scan: not at once, so that what is in flight can land. */
const SCAN_AGAIN_DELAY_MS = 1_000;
/** Scans in a row to settle differences; what they leave waits for the next scheduled scan. */
const SETTLING_SCANS_MAX = 3;
/** Scanning takes at most a fifth of the time while polling. */
const POLL_PAUSE_PER_SCAN = 4;
const TICK_MS = 1_000;

type TimerName = "connect" | "confirm" | "verdict" | "scan" | "tick" | "acquire";

export class ShardFollower {
  readonly #settings: FollowerSettings;
  readonly #host: FollowerHost;
  readonly #tools: FollowerTools;
  readonly #timers: Timers<TimerName>;
  readonly #backoff: Backoff;
  readonly #besideBackoff: Backoff;
  readonly #figures: FollowerFigures;
  readonly #runs = new RunWatch();
  readonly #healed = new HealedWatch();

  #body: ShardBody | null = null;
  #protocol: ProtocolVersion;
  #main: ShardLink | null = null;
  #mainAcks: AckPacer | null = null;
  #beside: BesideScan | null = null;
  #scan: ScanRun | null = null;
  /** What came after ShardInfo while the shard's files are being made. */
  #held: HeldFrames | null = null;
  #shardInfo: ShardInfo | null = null;

  /** When the main connection caught up, for the verdict on its heartbeats. */
  #caughtUpAtMs: number | null = null;
  #firstConnectAtMs: number | null = null;
  #soonTries = 0;
  #settlingScans = 0;
  #windowAcks: number;
  /** The stream was live and its end was not our doing: on L2 its ring may be full of old events. */
  #gap: boolean;
  #streamWasLost = false;
  #dropsAreTold = false;
  #accepting: "no" | "wanted" | "next-scan";
  #batchesSinceTick = 0;
  #over = false;

  constructor(settings: FollowerSettings, host: FollowerHost, tools: FollowerTools) {
    this.#settings = settings;
    this.#host = host;
    this.#tools = tools;
    this.#protocol = settings.protocol;
    this.#windowAcks =
      settings.sync === "batch" || settings.limitRateBytes !== null ? 0 : settings.windowAcks;
    this.#gap = settings.followedBefore;
    this.#accepting = settings.acceptLeader ? "wanted" : "no";
    this.#timers = new Timers(tools.clock);
    this.#backoff = new Backoff(tools.random);
    this.#besideBackoff = new Backoff(tools.random);
    this.#figures = new FollowerFigures(settings.shard, tools.clock, host);
  }

  /** Opens what is there and starts to follow. Everything that follows is reported to the host. */
  start(): void {
    this.#guard(() => {
      if (this.#settings.exists) {
        this.#figures.state("connecting", "reading what is on disk");
        this.#openBody(null);
      }
      this.#tick();
      this.#connect();
    });
  }

  // ---- connecting ----

  #connect(): void {
    if (this.#over) return;
    this.#timers.cancel("connect");
    this.#host.acquireConnection(this.#protocol, (waitMs) => {
      if (this.#over) return;
      if (waitMs > 0) {
        this.#figures.state("waiting", "the day's connections to this leader are used up");
        this.#timers.set("connect", waitMs, () => this.#connect());
        return;
      }
      this.#guard(() => this.#dial());
    });
  }

  #dial(): void {
    const { host, port, shard } = this.#settings;
    const { clock, net } = this.#tools;
    this.#firstConnectAtMs ??= clock.nowMs();
    if (this.#figures.current !== "stalled") {
      this.#figures.state("connecting", `connecting to ${host}:${port}`);
    }
    this.#figures.connections++;
    this.#held = null;
    this.#caughtUpAtMs = null;
    const link = new ShardLink(
      net,
      clock,
      {
        host,
        port,
        shard,
        protocol: this.#protocol,
        windowAcks: this.#windowAcks,
        isEmpty: this.#body === null || this.#body.applier.occupied === 0,
      },
      {
        received: (from, event) => this.#guard(() => this.#mainReceived(from, event)),
        chunkEnded: (from) => this.#guard(() => this.#chunkEnded(from, this.#mainAcks)),
        ended: (from, end) => this.#guard(() => this.#mainEnded(from, end)),
      },
    );
    if (!link.hasEnded) this.#main = link;
  }

  #mainEnded(link: ShardLink, end: ShardLinkEnd): void {
    this.#figures.linkEnded(link);
    if (this.#over) return;
    const wasStreaming = link.session.phase === "streaming";
    this.#main = null;
    this.#mainAcks?.stop();
    this.#mainAcks = null;
    this.#held = null;
    for (const name of ["confirm", "verdict", "scan"] as const) this.#timers.cancel(name);
    this.#closeBeside();
    this.#body?.intake.writePending();
    this.#body?.durability.wrote();
    this.#scan = null;
    const trouble = troubleOf(end, this.#protocol);
    if (trouble.kind !== "none" && wasStreaming) {
      this.#gap = true;
      this.#streamWasLost = true;
    }
    this.#answer(trouble);
  }

  #answer(trouble: Trouble): void {
    switch (trouble.kind) {
      case "none":
        return this.#connectSoon();
      case "lower-protocol":
        this.#protocol = 1;
        return this.#connect();
      case "events-dropped":
        this.#dropsAreTold = true;
        this.#windowAcks = this.#windowAcks === 0 ? 0 : Math.min(this.#windowAcks * 2, 256);
        this.#figures.log("warn", "the leader dropped events and asks for a new scan");
        return this.#connectSoon();
      case "already-streaming":
        this.#figures.error(trouble.text);
        if (this.#soonTries < SOON_DELAYS_MS.length) return this.#connectSoon();
        return this.#pause("waiting", trouble.text);
      case "not-a-leader":
        if (this.#settings.once) {
          return this.#fail({
            code: "incompatible",
            message: `${this.#leader} does not speak the replication protocol of armdb: ${trouble.text}`,
            hint: "armdb doctor LEADER; is this the replication port of the service?",
          });
        }
        return this.#pause("waiting", trouble.text);
      case "incompatible":
        return this.#fail({
          code: "incompatible",
          message: `Cannot follow ${this.#leader}, shard ${this.#settings.shard}: ${trouble.text}`,
          hint: "armdb doctor LEADER, armdb version",
        });
      case "retry":
        return this.#pause(trouble.stalled ? "stalled" : "waiting", trouble.text);
    }
  }

  get #leader(): string {
    return `${this.#settings.host}:${this.#settings.port}`;
  }

  /** Connects again with the backoff's pause. */
  #pause(state: ShardState, why: string): void {
    const delayMs = this.#backoff.next();
    this.#figures.reconnects++;
    this.#figures.error(why);
    this.#figures.state(state, `${why}; again in ${(delayMs / 1000).toFixed(1)} s`);
    this.#timers.set("connect", delayMs, () => this.#connect());
  }

  /** Connects again almost at once: we closed the connection ourselves, or the leader asked for it. */
  #connectSoon(): void {
    const delayMs = SOON_DELAYS_MS[Math.min(this.#soonTries, SOON_DELAYS_MS.length - 1)] as number;
    this.#soonTries++;
    this.#figures.state("connecting", "opening the stream again");
    this.#timers.set("connect", delayMs, () => this.#connect());
  }

  // ---- the main connection ----

  #mainReceived(link: ShardLink, event: SessionEvent): void {
    this.#figures.frame(link);
    if (this.#held !== null) {
      this.#held.receive(event);
      return;
    }
    switch (event.kind) {
      case "shard-info":
        return this.#mainShardInfo(link, event.info);
      case "batch":
        return this.#mainBatch(link, event.payload, event.full);
      case "caught-up":
        return this.#mainCaughtUp(link, event.adds);
      case "heartbeat":
        return this.#mainHeartbeat(link);
      case "leader-error":
      case "violation":
        return;
    }
  }

  #mainShardInfo(link: ShardLink, info: ShardInfo): void {
    const { geometry } = this.#settings;
    if (geometry !== null) {
      const differences = geometryDifferences(geometry, info, "here", "at the leader");
      if (differences.length > 0) {
        this.#fail({
          code: "incompatible",
          message: `${this.#settings.dir} is not a replica of ${this.#leader}: ${differences.join("; ")}`,
          hint: "follow into another directory, or check the leader's address",
        });
        return;
      }
    }
    this.#soonTries = 0;
    this.#shardInfo = info;
    this.#host.learned(info);
    if (this.#body !== null) return this.#beginMainScan(link);
    const shard = this.#settings.shard;
    this.#held = new HeldFrames(link, info, shard, this.#protocol, (held) => {
      this.#host.prepare(info, (error) => {
        if (this.#over) return;
        if (error !== null) return this.#fail(error);
        this.#guard(() => this.#prepared(link, info, held));
      });
    });
  }

  #prepared(link: ShardLink, info: ShardInfo, held: readonly SessionEvent[]): void {
    if (this.#body === null) this.#openBody(info.slotCount);
    if (link.hasEnded || this.#main !== link) return;
    this.#held = null;
    this.#beginMainScan(link);
    for (const event of held) if (!link.hasEnded) this.#mainReceived(link, event);
    this.#chunkEnded(link, this.#mainAcks);
    link.resume();
  }

  #openBody(newSlotCount: number | null): void {
    const layout = layoutOf(this.#settings.geometry ?? (this.#shardInfo as ShardInfo));
    const body = new ShardBody(this.#settings, layout, newSlotCount, this.#tools, (error) =>
      this.#guard(() => this.#fail(error)),
    );
    this.#body = body;
    this.#figures.attach(body);
    if (newSlotCount !== null) {
      body.markWorthClosing();
      if (!body.store.reserved) {
        this.#figures.log(
          "warn",
          "this file system cannot reserve space: a full disk will only show at a write",
        );
      }
    } else if (body.store.loaded.torn > 0) {
      this.#figures.log(
        "warn",
        `${body.store.loaded.torn} torn slots on disk: the scan will mend them`,
      );
    }
  }

  #beginMainScan(link: ShardLink): void {
    const body = this.#needBody();
    body.judge.begin();
    this.#runs.reset();
    this.#scan = new ScanRun(
      this.#figures.scansDone === 0 ? "first" : "rescan",
      this.#tools.clock.nowMs(),
    );
    this.#mainAcks = this.#newPacer(link, body);
    this.#mainAcks.sendAhead();
    this.#figures.scanBegan(this.#scan, link);
    this.#figures.state("scanning", "catching up");
  }

  #newPacer(link: ShardLink, body: ShardBody): AckPacer {
    return new AckPacer({
      clock: this.#tools.clock,
      link,
      intake: body.intake,
      durability: body.durability,
      waitForSync: this.#settings.sync === "batch",
      limitRateBytes: this.#settings.limitRateBytes,
    });
  }

  #mainBatch(link: ShardLink, payload: Uint8Array, full: boolean): void {
    const body = this.#needBody();
    const scanning = link.session.phase === "scanning";
    const outcome = body.intake.take(payload, this.#protocol, scanning ? "scan" : "live");
    if (outcome.kind === "refused") {
      link.fail({ kind: "violation", reason: outcome.reason, beforeShardInfo: false });
      return;
    }
    if (outcome.cleared > 0 && this.#protocol === 2) this.#figures.resets(body.intake.resetsSaved);
    if (scanning && this.#scan !== null) {
      this.#scan.taken += outcome.taken;
      body.judge.note(outcome.differences);
    } else {
      this.#batchesSinceTick++;
      this.#healed.streamBrought(payload, body.store.layout, this.#protocol);
      if (this.#timers.has("verdict")) this.#streamIsOurs();
      if (this.#runs.batch(outcome.events, full)) this.#lossIsPossible();
    }
    this.#mainAcks?.applied(payload.length);
  }

  #chunkEnded(link: ShardLink, acks: AckPacer | null): void {
    if (this.#body === null || link.hasEnded || this.#held !== null) return;
    if (this.#body.applier.pendingBytes > 0) {
      this.#body.intake.writePending();
      this.#body.durability.wrote();
    }
    acks?.chunkEnded();
    this.#figures.moved();
  }

  #mainCaughtUp(link: ShardLink, adds: boolean): void {
    const body = this.#needBody();
    const scan = this.#scan;
    if (scan === null) return;
    body.intake.writePending();
    body.durability.wrote();
    scan.caughtUpAtMs = this.#tools.clock.nowMs();
    this.#caughtUpAtMs = scan.caughtUpAtMs;
    // On protocol 1 nobody says whether a stream follows: a leader without one to give echoes a heartbeat.
    if (this.#protocol === 1) link.sendHeartbeat();
    this.#timers.set("confirm", CAUGHT_UP_CONFIRM_MS, () =>
      this.#guard(() => {
        if (!adds) return this.#scanDoesNotAddUp();
        if (this.#protocol === 1)
          this.#timers.set("verdict", PROBE_VERDICT_MS, () => this.#streamIsOurs());
        else this.#streamIsOurs();
        this.#scanIsWhole(scan);
      }),
    );
  }

  #mainHeartbeat(link: ShardLink): void {
    if (this.#protocol === 1 && this.#caughtUpAtMs !== null && link.expectsHeartbeats) {
      // Only an echo can come before a streaming leader's first heartbeat is due.
      const sinceMs = this.#tools.clock.nowMs() - this.#caughtUpAtMs;
      if (sinceMs < HEARTBEAT_INTERVAL_MS - 500) return this.#noStreamToHave(link);
    }
    if (this.#timers.has("verdict")) this.#streamIsOurs();
    if (this.#runs.end()) this.#lossIsPossible();
  }

  /** The connection carries the live stream. */
  #streamIsOurs(): void {
    this.#timers.cancel("verdict");
    if (this.#protocol === 1 && this.#streamWasLost) {
      this.#host.report({ kind: "leader-restarted", shard: this.#settings.shard });
    }
    this.#streamWasLost = false;
    this.#figures.streaming = "live";
    this.#figures.showStreaming();
    this.#scheduleScan();
  }

  /** Protocol 1: another connection took the stream, once per leader process. Only scans bring news from here on. */
  #noStreamToHave(link: ShardLink): void {
    link.expectsHeartbeats = false;
    this.#timers.cancel("verdict");
    this.#figures.streaming = "polling";
    this.#figures.log(
      "warn",
      "this leader gives no live stream until it restarts: scanning again and again instead",
    );
    this.#figures.showStreaming();
    this.#scheduleScan();
  }

  // ---- scans ----

  #scanDoesNotAddUp(): void {
    this.#figures.log("warn", "the leader ended its scan early: the totals differ");
    this.#scan = null;
    this.#main?.fail({ kind: "lost", reason: "a scan that was not whole", connected: true });
  }

  /** A scan that is believed: clears leftovers, tells what differs, decides what comes next. */
  #scanIsWhole(scan: ScanRun): void {
    const body = this.#needBody();
    this.#backoff.progressed();
    this.#besideBackoff.progressed();
    const verdict = body.judge.finish();
    for (const slot of verdict.leftovers) body.store.clearSlot(slot);
    body.markWorthClosing();
    body.durability.wrote();
    if (this.#accepting === "next-scan") this.#accepting = "no";
    this.#figures.scanDone(scan, verdict, this.#firstConnectAtMs ?? scan.startedAtMs);
    if (verdict.suspects === 0 && verdict.diverged.length === 0) this.#settlingScans = 0;
    if (verdict.diverged.length > 0 && this.#accepting === "wanted") {
      this.#acceptLeader(verdict.diverged.map((difference) => difference.slot));
      return;
    }
    if (verdict.suspects > 0 && this.#settlingScans < SETTLING_SCANS_MAX) {
      this.#settlingScans++;
      this.#figures.log(
        "info",
        `${verdict.suspects} slots differ and are not older here: scanning again to be sure`,
      );
      this.#scanAgain(SCAN_AGAIN_DELAY_MS);
      return;
    }
    this.#reportReady();
    if (this.#settings.once) return;
    if (this.#protocol === 2 && this.#gap && !this.#dropsAreTold) {
      // L2 does not empty its ring between followers: what was written during this scan may be lost.
      this.#gap = false;
      this.#scanAgain(2 * SCAN_AGAIN_DELAY_MS);
      return;
    }
    this.#gap = false;
    this.#scheduleScan();
  }

  /** --accept-leader: what is listed as lost is saved and no longer trusted, so that the next scan decides. */
  #acceptLeader(slots: readonly number[]): void {
    const body = this.#needBody();
    body.intake.save(slots);
    for (const slot of slots) body.applier.setSlot(slot, distrusted(body.applier.word(slot)), 0);
    this.#accepting = "next-scan";
    this.#figures.log(
      "warn",
      `${slots.length} slots are saved in armdb-reset-${this.#settings.shard}.log; the next scan takes the leader's`,
    );
    this.#scanAgain(0);
  }

  #reportReady(): void {
    const body = this.#needBody();
    body.durability.whenDurable(() => {
      if (!this.#over) this.#figures.nowReady(this.#protocol);
    });
  }

  /** The next scan by the calendar: --resync while live, --poll without a stream. */
  #scheduleScan(): void {
    if (this.#settings.once || this.#main === null || this.#figures.scansDone === 0) return;
    const { resyncMs, pollMs } = this.#settings;
    const tookMs = this.#figures.lastScanTookMs ?? 0;
    const delayMs =
      this.#figures.streaming === "polling"
        ? Math.max(pollMs, POLL_PAUSE_PER_SCAN * tookMs)
        : resyncMs;
    if (delayMs !== null && !this.#timers.has("scan")) {
      this.#timers.set("scan", delayMs, () => this.#guard(() => this.#startScan()));
    }
  }

  #lossIsPossible(): void {
    this.#figures.log(
      "info",
      "a long run of full batches: events may have been dropped, scanning again",
    );
    this.#scanAgain(SCAN_AGAIN_DELAY_MS);
  }

  #scanAgain(delayMs: number): void {
    this.#timers.set("scan", delayMs, () => this.#guard(() => this.#startScan()));
  }

  /** Asks for a scan now, out of turn (compare by the running follower). */
  rescan(): void {
    this.#scanAgain(0);
  }

  #startScan(): void {
    if (this.#over || this.#main === null || this.#main.session.phase !== "streaming") return;
    if (this.#protocol === 1) this.#connectBeside();
    else this.#main.close();
  }

  // ---- a scan on a second connection (protocol 1) ----

  #connectBeside(): void {
    if (this.#beside !== null || this.#timers.has("acquire")) return;
    this.#host.acquireConnection(this.#protocol, (waitMs) => {
      if (this.#over || this.#main === null || this.#beside !== null) return;
      if (waitMs > 0) this.#timers.set("acquire", waitMs, () => this.#connectBeside());
      else this.#guard(() => this.#scanBeside());
    });
  }

  #scanBeside(): void {
    const { host, port, shard } = this.#settings;
    const body = this.#needBody();
    this.#figures.connections++;
    this.#beside = new BesideScan({
      ...this.#tools,
      link: { host, port, shard, windowAcks: this.#windowAcks },
      body,
      figures: this.#figures,
      healed: this.#healed,
      newPacer: (link) => this.#newPacer(link, body),
      chunkEnded: (link, acks) => this.#chunkEnded(link, acks),
      guard: (run) => this.#guard(run),
      finished: (scan, adds) => {
        this.#beside = null;
        if (adds) this.#scanIsWhole(scan);
        else this.#scanAgain(this.#besideBackoff.next());
        this.#figures.showStreaming();
      },
      failed: (end) => {
        this.#beside = null;
        const trouble = troubleOf(end, 1);
        const text = "text" in trouble ? trouble.text : "the scan was cut short";
        this.#figures.error(`scan beside the stream: ${text}`);
        this.#figures.showStreaming();
        this.#scanAgain(this.#besideBackoff.next());
      },
    });
  }

  #closeBeside(): void {
    this.#timers.cancel("acquire");
    this.#beside?.close();
    this.#beside = null;
  }

  // ---- time, stop, failure ----

  #tick(): void {
    this.#timers.set("tick", TICK_MS, () => {
      this.#guard(() => {
        this.#figures.healed += this.#healed.settle(this.#tools.clock.nowMs());
        if (this.#batchesSinceTick === 0 && this.#runs.end()) this.#lossIsPossible();
        this.#batchesSinceTick = 0;
        this.#figures.tick();
        this.#tick();
      });
    });
  }

  /** Ends in good order: no more frames, everything applied is written and durable, the shard closed clean. */
  stop(): void {
    if (this.#over) return;
    this.#shutDown();
    const body = this.#body;
    if (body === null) return this.#figures.ended("stopped", null);
    body.close((error) => this.#figures.ended(error === null ? "stopped" : "failed", error));
  }

  #shutDown(): void {
    this.#over = true;
    this.#timers.stop();
    this.#mainAcks?.stop();
    this.#beside?.close();
    this.#main?.close();
  }

  /** What cannot get better by itself: the shard ends here. Storage errors leave the files as they are. */
  #fail(error: PlainError): void {
    if (this.#over) return;
    this.#figures.error(error.message);
    if (error.code === "incompatible" && this.#body !== null) {
      this.#shutDown();
      this.#body.close(() => this.#figures.ended("failed", error));
      return;
    }
    this.#shutDown();
    this.#body?.abandon();
    this.#figures.ended("failed", error);
  }

  /** Runs a handler; an explained failure (disk, space, permission) ends the shard, a bug goes on up. */
  #guard(run: () => void): void {
    if (this.#over) return;
    try {
      run();
    } catch (thrown) {
      if (!(thrown instanceof ArmdbError)) throw thrown;
      this.#fail(toPlainError(thrown));
    }
  }

  #needBody(): ShardBody {
    if (this.#body === null) throw new ArmdbError("unexpected", "a shard without files");
    return this.#body;
  }
}
