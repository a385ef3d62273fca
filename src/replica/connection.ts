// One connection of a shard as the follower performs it: its link, its one scan, its acks, and the frames that are held while the
// files are made. Takes what comes into the shard's body and tells the shard's machine what it heard. Decides nothing.

import { ArmdbError } from "../errors.ts";
import type { SessionEvent } from "../link/session.ts";
import type { AckSender, ScanEnd, ScanSink } from "../link/scan-types.ts";
import type { ShardLinkEnd } from "../link/link-end.ts";
import { ShardLink, type ShardLinkOwner } from "../link/shard-link.ts";
import { ShardScan } from "../link/shard-scan.ts";
import { LiveAge } from "../link/live-age.ts";
import type { ProtocolVersion, ShardInfo } from "../wire/messages.ts";
import { AckPacer } from "./ack-pacer.ts";
import type { BatchPurpose } from "./apply/batch-applier.ts";
import type { ConnectionOptions, ConnectionOwner } from "./connection-types.ts";
import { HeldFrames } from "./held-frames.ts";
import type { ConnectionEnd } from "./machine/inputs.ts";
import type { Role, ScanKind } from "./machine/types.ts";
import { RestingLink } from "./resting-link.ts";
import type { ShardBody } from "./shard-body.ts";

export class Connection implements ScanSink, ShardLinkOwner {
  readonly number: number;
  readonly role: Role;
  readonly link: ShardLink;
  /** How old what came may be. */
  readonly age = new LiveAge();
  readonly #options: ConnectionOptions;
  readonly #owner: ConnectionOwner<Connection>;
  readonly #scan: ShardScan;
  #acks: AckPacer | null = null;
  #held: HeldFrames | null = null;
  readonly #resting: RestingLink;
  /** Null before the scan begins. */
  kind: ScanKind | null = null;
  #purpose: BatchPurpose = "scan";
  /** Events of the scan that changed something here. */
  taken = 0;
  #answer: ((lives: boolean) => void) | null = null;
  /** Something came after CaughtUp: the leader lives. */
  #lives = false;
  #isCaughtUp = false;
  /** The scan was whole: what comes is live. */
  isWhole = false;
  #closed = false;

  constructor(options: ConnectionOptions, owner: ConnectionOwner<Connection>) {
    const { net, clock, link, role, number } = options;
    this.number = number;
    this.role = role;
    this.#options = options;
    this.#owner = owner;
    this.link = new ShardLink(net, clock, link);
    this.#resting = new RestingLink(this.link, clock);
    this.#scan = new ShardScan(this.link, this, {
      clock,
      acks: lateAcks(() => this.#acks),
      vouch: (answer) => this.#askForWord(answer),
      ended: (end) => this.#scanEnded(end),
    });
  }

  get protocol(): ProtocolVersion {
    return this.link.session.protocol;
  }

  /** The last slot of the scan, -1 before the first. */
  get slotLast(): number {
    return this.#scan.slotLast;
  }

  /** Connects; nothing is heard before this returns. */
  start(): void {
    this.#scan.start();
  }

  /** Ends it without a word. */
  close(): void {
    this.#closed = true;
    this.#acks?.stop();
    this.#resting.end();
    this.#scan.stop();
    this.link.close();
  }

  /** The scan begins: acks run ahead, and what was held while the files were made is taken, in its order. */
  beginScan(kind: ScanKind, purpose: BatchPurpose): void {
    const body = this.#body();
    this.kind = kind;
    this.#purpose = purpose;
    this.#acks = new AckPacer({
      ...this.#options.limits(),
      clock: this.#options.clock,
      link: this.link,
      intake: body.intake,
      durability: body.durability,
    });
    this.#resting.end();
    if (!this.#resting.isAhead) this.#acks.sendAhead();
    const nowMs = this.#options.clock.nowMs();
    this.age.scanBegan(this.link.openedAtMs ?? nowMs, nowMs);
    const held = this.#held;
    this.#held = null;
    if (held !== null) this.#replay(held);
  }

  #replay(held: HeldFrames): void {
    this.#scan.rested();
    for (const frame of held.take()) {
      if (this.#closed) return;
      if (frame.kind === "caught-up") this.caughtUp();
      else if (frame.kind === "live") this.live(frame.payload, frame.full);
      else {
        const facts = this.batch(frame.payload);
        if ("fault" in facts) return this.link.fail(violation(facts.fault));
      }
      if (frame.kind !== "caught-up") this.#acks?.applied(frame.payload.length);
    }
    if (this.#closed) return;
    this.chunkEnded();
    this.#acks?.chunkEnded();
    this.link.resume();
  }

  /** Sends one heartbeat, which a protocol 1 leader without a stream to give echoes. */
  probe(): void {
    this.age.probed();
    this.link.sendHeartbeat();
  }

  /** The supervisor's word on whether the leader lives. */
  vouch(lives: boolean): void {
    const answer = this.#answer;
    this.#answer = null;
    answer?.(lives);
  }

  // ---- the scan's sink ----

  opened(): void {
    this.#owner.opened(this);
  }

  begin(info: ShardInfo): void {
    const { link, firstIsSound } = this.#options;
    if (this.#options.body() === null) {
      this.#held = new HeldFrames(info, link.shard, link.protocol, () => {
        this.#resting.begin();
        firstIsSound(info);
      });
    }
    this.#owner.shardInfo(this, info);
  }

  batch(payload: Uint8Array): ReturnType<ScanSink["batch"]> {
    if (this.#held !== null) return this.#held.batch(payload);
    const { intake, judge } = this.#body();
    const outcome = intake.take(payload, this.protocol, this.#purpose);
    if (outcome.kind === "refused") return { fault: outcome.reason };
    this.age.scanBatch(this.link.lastFrameAtMs, this.link.session.windowAcks);
    this.taken += outcome.taken;
    judge.note(this.number, outcome.differences);
    this.#owner.scanApplied(this, outcome);
    return outcome;
  }

  caughtUp(): void {
    if (this.#held !== null) return this.#held.caughtUp();
    this.#isCaughtUp = true;
    this.age.caughtUp(this.link.lastFrameAtMs);
    const { intake, durability } = this.#body();
    intake.writePending();
    durability.wrote();
    this.#owner.caughtUp(this);
    if (this.#answer !== null) this.#askForWord(this.#answer);
  }

  live(payload: Uint8Array, full: boolean): void {
    if (this.#held !== null) return this.#held.live(payload, full);
    // A scan beside the stream has no stream of its own; what its leader sends after CaughtUp shows that it lives.
    if (this.role === "main") {
      const outcome = this.#body().intake.take(payload, this.protocol, "live");
      if (outcome.kind === "refused") return this.link.fail(violation(outcome.reason));
      this.age.batch(this.link.lastFrameAtMs, full);
      this.#owner.live(this, payload, full, outcome);
    }
    this.#showLife();
  }

  heartbeat(isPlain: boolean): void {
    if (this.#held !== null) return;
    if (isPlain) this.age.heartbeat(this.link.lastFrameAtMs);
    this.#owner.heartbeat(this);
    if (this.#isCaughtUp) this.#showLife();
  }

  #showLife(): void {
    this.#lives = true;
    this.vouch(true);
  }

  #askForWord(answer: (lives: boolean) => void): void {
    if (this.#lives) return answer(true);
    this.#answer = answer;
    // What is held says nothing yet: the question comes when it was taken.
    if (this.#isCaughtUp) this.#owner.wantsWord(this);
  }

  // ---- the link, once the scan was whole; chunkEnded serves both ----

  received(_link: ShardLink, event: SessionEvent): void {
    this.#guarded(() => {
      if (event.kind === "heartbeat") this.heartbeat(event.isPlain);
      if (event.kind !== "batch") return;
      this.live(event.payload, event.full);
      this.#acks?.applied(event.payload.length);
      const isDue = this.age.isHeartbeatDue(this.link.lastFrameAtMs);
      if (this.protocol === 2 && isDue) this.#acks?.letRest();
    });
  }

  chunkEnded(): void {
    this.age.chunk(this.link.lastChunkAtMs, this.link.isMidFrame);
    if (this.#held !== null) return;
    const body = this.#options.body();
    if (body === null) return;
    body.intake.writePending();
    // Also what a full buffer wrote before the chunk's end.
    if (body.store.hasUnsyncedWrites) body.durability.wrote();
    this.#owner.chunkEnded(this);
  }

  ended(_link: ShardLink, end: ShardLinkEnd): void {
    this.#tellEnd(end.kind === "lost" ? { kind: "lost", reason: end.reason } : end);
  }

  #scanEnded(end: ScanEnd): void {
    if (this.#closed) return;
    if (end.kind === "whole") {
      this.isWhole = true;
      this.link.handOver({
        received: (link, event) => this.received(link, event),
        chunkEnded: () => this.#liveChunkEnded(),
        ended: (link, linkEnd) => this.ended(link, linkEnd),
      });
      this.#owner.whole(this, end);
    } else if (end.why === "sink") this.#thrown(end.error);
    else this.#tellEnd(endOf(end));
  }

  #liveChunkEnded(): void {
    this.#guarded(() => {
      this.chunkEnded();
      this.#acks?.chunkEnded();
    });
  }

  #tellEnd(end: ConnectionEnd): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#acks?.stop();
    this.#resting.end();
    this.#owner.ended(this, end);
  }

  #guarded(run: () => void): void {
    if (this.#closed) return;
    try {
      run();
    } catch (thrown) {
      this.#thrown(thrown);
    }
  }

  /** An explained failure is the disk's; a bug goes on up. */
  #thrown(thrown: unknown): void {
    if (!(thrown instanceof ArmdbError)) throw thrown;
    this.#owner.failed(thrown);
  }

  #body(): ShardBody {
    const body = this.#options.body();
    if (body === null) throw new ArmdbError("unexpected", "a shard without files");
    return body;
  }
}

/** Acks that are there only from the moment at which the scan begins. */
function lateAcks(acks: () => AckPacer | null): AckSender {
  return {
    sendAhead: () => {},
    applied: (bytes) => acks()?.applied(bytes),
    chunkEnded: () => acks()?.chunkEnded(),
    stop: () => acks()?.stop(),
  };
}

function violation(reason: string): ShardLinkEnd {
  return { kind: "violation", reason, beforeShardInfo: false };
}

function endOf(end: Extract<ScanEnd, { kind: "cut" }>): ConnectionEnd {
  const { why, reason, leaderText } = end;
  switch (why) {
    case "refused":
      return { kind: "leader-error", text: leaderText ?? "" };
    case "stopped":
    case "sink":
      return { kind: "closed-here" };
    case "lost":
    case "stalled":
    case "short":
    case "violation":
      return { kind: why, reason };
  }
}
