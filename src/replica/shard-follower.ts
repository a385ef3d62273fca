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
import { CAUGHT_UP_CONFIRM_MS } from "../limits.ts";
import { layoutOf } from "../store/geometry.ts";
import type { ProtocolVersion, ShardInfo } from "../wire/messages.ts";
import { AckPacer } from "./ack-pacer.ts";
import { BesideScans } from "./beside-scans.ts";
import { Connector } from "./connector.ts";
import type { FollowerHost, FollowerSettings } from "./follower-types.ts";
import { FollowerFigures } from "./follower-figures.ts";
import { HealedWatch } from "./healed-watch.ts";
import { HeldFrames } from "./held-frames.ts";
import { geometryTrouble, troubleOf } from "./leader-trouble.ts";
import { NO_OBSERVER, type ScanObserver } from "./scan-observer.ts";
import { ScanPlanner } from "./scan-planner.ts";
import { ScanRun } from "./scan-run.ts";
import type { SessionEvent } from "../link/session.ts";
import { ShardBody, type ShardBodyTools } from "./shard-body.ts";
import { ShardLink, type ShardLinkEnd } from "../link/shard-link.ts";
import { StreamWatch } from "./stream-watch.ts";
import { Timers } from "../io/timers.ts";

export interface FollowerTools extends ShardBodyTools {
  readonly net: Net;
  readonly random: RandomSource;
}

const TICK_MS = 1_000;

type TimerName = "confirm" | "tick";

export class ShardFollower {
  readonly #settings: FollowerSettings;
  readonly #host: FollowerHost;
  readonly #tools: FollowerTools;
  readonly #timers: Timers<TimerName>;
  readonly #connector: Connector;
  readonly #planner: ScanPlanner;
  readonly #beside: BesideScans;
  readonly #figures: FollowerFigures;
  readonly #observer: ScanObserver;
  readonly #stream: StreamWatch;
  readonly #healed = new HealedWatch();

  #body: ShardBody | null = null;
  #main: ShardLink | null = null;
  #mainAcks: AckPacer | null = null;
  #scan: ScanRun | null = null;
  /** What came after ShardInfo while the shard's files are being made. */
  #held: HeldFrames | null = null;
  #shardInfo: ShardInfo | null = null;

  #over = false;

  constructor(
    settings: FollowerSettings,
    host: FollowerHost,
    tools: FollowerTools,
    observer: ScanObserver = NO_OBSERVER,
  ) {
    this.#settings = settings;
    this.#observer = observer;
    this.#host = host;
    this.#tools = tools;
    this.#timers = new Timers(tools.clock);
    const figures = new FollowerFigures(settings, tools.clock, host);
    const { clock, random } = tools;
    const guard = (run: () => void) => this.#guard(run);
    this.#figures = figures;
    this.#connector = new Connector({
      ...{ settings, host, clock, random, figures, guard },
      dial: () => this.#dial(),
      fail: (error) => this.#fail(error),
    });
    this.#planner = new ScanPlanner({
      ...{ settings, clock, figures, guard },
      start: () => this.#startScan(),
    });
    this.#stream = new StreamWatch({
      ...{ clock, figures, guard, planner: this.#planner, once: settings.once },
      leaderRestarted: () => host.report({ kind: "leader-restarted", shard: settings.shard }),
    });
    this.#beside = new BesideScans({
      ...{ settings, host, net: tools.net, clock, random, figures, observer, guard },
      ...{ connector: this.#connector, planner: this.#planner, healed: this.#healed },
      isWanted: () => !this.#over && this.#main !== null,
      newPacer: (link, body) => this.#newPacer(link, body),
      chunkEnded: (link, acks) => this.#chunkEnded(link, acks),
      scanIsWhole: (scan) => this.#scanIsWhole(scan),
    });
  }

  get #protocol(): ProtocolVersion {
    return this.#connector.protocol;
  }

  /** Opens what is there and starts to follow. Everything that follows is reported to the host. */
  start(): void {
    this.#guard(() => {
      if (this.#settings.exists) {
        this.#figures.state("connecting", "reading what is on disk");
        this.#openBody(null);
      }
      this.#tick();
      this.#connector.connect();
    });
  }

  // ---- the main connection ----

  #dial(): void {
    const { host, port, shard } = this.#settings;
    const { clock, net } = this.#tools;
    this.#held = null;
    const link = new ShardLink(net, clock, {
      host,
      port,
      shard,
      protocol: this.#protocol,
      windowFor: (shardCount) => this.#connector.windowFor(shardCount),
      isEmpty: this.#body === null || this.#body.applier.occupied === 0,
    });
    this.#main = link;
    link.start({
      received: (from, event) => this.#guard(() => this.#mainReceived(from, event)),
      chunkEnded: (from) => this.#guard(() => this.#chunkEnded(from, this.#mainAcks)),
      ended: (from, end) => this.#guard(() => this.#mainEnded(from, end)),
    });
  }

  #mainEnded(link: ShardLink, end: ShardLinkEnd): void {
    this.#figures.linkEnded(link);
    if (this.#over) return;
    const wasStreaming = link.session.phase === "streaming";
    this.#main = null;
    this.#mainAcks?.stop();
    this.#mainAcks = null;
    this.#held = null;
    this.#timers.cancel("confirm");
    this.#planner.cancel();
    this.#beside.close();
    this.#body?.intake.writePending();
    this.#body?.durability.wrote();
    this.#scan = null;
    const trouble = troubleOf(end, this.#connector.protocol);
    this.#observer.scanBroke("text" in trouble ? trouble.text : "the connection was closed");
    if (wasStreaming) this.#observer.streamEnded();
    const lost = trouble.kind !== "none" && wasStreaming;
    this.#stream.ended(lost);
    if (lost) this.#planner.streamLost();
    this.#connector.answer(trouble);
  }

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
        return this.#stream.heartbeat(link);
      case "leader-error":
      case "violation":
        return;
    }
  }

  #mainShardInfo(link: ShardLink, info: ShardInfo): void {
    // In a directory that this run makes, the first ShardInfo is what the files are made by.
    const geometry = this.#settings.geometry ?? this.#shardInfo;
    const refused = geometryTrouble(this.#settings.dir, this.#connector.leader, geometry, info);
    if (refused !== null) return this.#fail(refused);
    this.#shardInfo = info;
    this.#connector.agreed();
    this.#host.learned(info, this.#protocol);
    if (this.#body !== null) return this.#beginMainScan(link);
    this.#held = new HeldFrames(link, info, this.#settings.shard, this.#protocol, (held) => {
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
    if (newSlotCount !== null) body.markWorthClosing();
    this.#figures.opened(body, newSlotCount !== null);
  }

  #beginMainScan(link: ShardLink): void {
    const body = this.#needBody();
    body.judge.begin();
    this.#stream.scanBegan();
    this.#scan = new ScanRun(
      this.#figures.scansDone === 0 ? "first" : "rescan",
      this.#tools.clock.nowMs(),
    );
    this.#mainAcks = this.#newPacer(link, body);
    // Not before the files are made: more would be held, and batches held with their CaughtUp would be taken for live ones.
    this.#mainAcks.sendAhead();
    this.#figures.scanBegan(this.#scan, link);
    this.#figures.state("scanning", "catching up");
    this.#observer.scanBegan({ body, kind: this.#scan.kind, hasStream: false });
  }

  #newPacer(link: ShardLink, body: ShardBody): AckPacer {
    const limit = this.#settings.limitRateBytes;
    const shards = this.#shardInfo?.shardCount ?? 1;
    return new AckPacer({
      clock: this.#tools.clock,
      link,
      intake: body.intake,
      durability: body.durability,
      waitForSync: this.#settings.sync === "batch",
      limitRateBytes: limit === null ? null : limit / shards,
    });
  }

  #mainBatch(link: ShardLink, payload: Uint8Array, full: boolean): void {
    const body = this.#needBody();
    const scanning = link.session.phase === "scanning";
    if (scanning) this.#observer.scanBatch(payload, this.#protocol);
    const outcome = body.intake.take(payload, this.#protocol, scanning ? "scan" : "live");
    if (outcome.kind === "refused") {
      link.fail({ kind: "violation", reason: outcome.reason, beforeShardInfo: false });
      return;
    }
    if (outcome.cleared > 0 && this.#protocol === 2) this.#figures.resets(body.intake.resetsSaved);
    if (scanning && this.#scan !== null) {
      this.#scan.taken += outcome.taken;
      body.judge.note(outcome.differences);
      this.#observer.scanBatchApplied();
    } else {
      this.#observer.streamBatch(payload, this.#protocol, outcome.events);
      this.#healed.streamBrought(payload, body.store.layout, this.#protocol);
      this.#stream.batch(link, outcome.events, full);
    }
    this.#mainAcks?.applied(payload.length);
  }

  #chunkEnded(link: ShardLink, acks: AckPacer | null): void {
    if (this.#body === null || link.hasEnded || this.#held !== null) return;
    this.#body.intake.writePending();
    // Also what a full buffer wrote before the chunk's end.
    if (this.#body.store.hasUnsyncedWrites) this.#body.durability.wrote();
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
    this.#stream.caughtUp(link);
    this.#timers.set("confirm", CAUGHT_UP_CONFIRM_MS, () =>
      this.#guard(() => {
        if (!adds) return this.#scanDoesNotAddUp();
        this.#stream.believed(link);
        this.#scanIsWhole(scan);
      }),
    );
  }

  // ---- scans ----

  #scanDoesNotAddUp(): void {
    this.#figures.log("warn", "the leader ended its scan early: the totals differ");
    this.#scan = null;
    this.#main?.fail({ kind: "lost", reason: "a scan that was not whole", connected: true });
  }

  #scanIsWhole(scan: ScanRun): void {
    const body = this.#needBody();
    const { protocol, dropsAreTold, firstConnectAtMs } = this.#connector;
    this.#connector.progressed();
    this.#beside.progressed();
    this.#observer.scanWhole();
    if (!this.#planner.scanIsWhole(scan, { body, protocol, dropsAreTold, firstConnectAtMs }))
      return;
    body.durability.whenDurable(() => {
      if (!this.#over) this.#figures.nowReady(protocol);
    });
  }

  /** Asks for a scan now, out of turn (compare by the running follower). */
  rescan(): void {
    this.#planner.again(0);
  }

  #startScan(): void {
    if (this.#over || this.#main === null || this.#main.session.phase !== "streaming") return;
    if (this.#protocol === 1) this.#beside.start(this.#needBody());
    else this.#main.close();
  }

  // ---- time, stop, failure ----

  #tick(): void {
    this.#timers.set("tick", TICK_MS, () => {
      this.#guard(() => {
        this.#figures.healed += this.#healed.settle(this.#tools.clock.nowMs());
        this.#stream.tick();
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
    this.#connector.stop();
    this.#planner.stop();
    this.#stream.stop();
    this.#mainAcks?.stop();
    this.#beside.close();
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
