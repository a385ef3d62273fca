// One connection of a SimLeader: handshake, the scan that waits for an Ack a batch, the live stream or the silence after it.

import { STATUS_DELETED, statusOf } from "../../src/format/slot.ts";
import type { Clock, Timer } from "../../src/io/clock.ts";
import type { Link, LinkEvents } from "../../src/io/net.ts";
import { FrameDecoder } from "../../src/wire/frame-decoder.ts";
import {
  decodeSyncRequest,
  encodeCaughtUp,
  encodeErrorFrame,
  encodeHeartbeat,
  encodeShardInfo,
  ERROR_ALREADY_STREAMING,
  ERROR_EVENTS_DROPPED,
  FLAG_EMPTY_STATE,
  FRAME_ACK,
  FRAME_HEARTBEAT,
  FRAME_SYNC_REQUEST,
  type FrameType,
  type SyncRequest,
  versionMismatchText,
} from "../../src/wire/messages.ts";
import { SlotBatchEncoder } from "../../src/wire/slot-batch.ts";
import { batchFrame } from "./leader-scripts.ts";
import type { SimLeader, SimShard } from "./sim-leader.ts";

/** The ring is polled this often. */
const RING_POLL_MS = 1;
/** An idle generation 1 connection reads, and echoes, about once a second. */
const ECHO_MS = 800;
/** So long a generation 3 leader waits for a frame of its follower, at each look at its ring. */
const FRAME_WAIT_MS = 20;
/** A handler gives up a request of which no byte comes for so long. */
const REQUEST_MS = 10_000;
/** And the whole of it, where no Ack comes for a batch of the scan; a heartbeat grants it as much again, so often. */
const ACK_MS = 10_000;
const ACK_HEARTBEATS_MAX = 8;
/** Generations 2 and 3 take a moment to see that a stream's connection is gone. */
const FREE_AGAIN_MS = 100;

export class SimLeaderLink {
  readonly #leader: SimLeader;
  readonly #clock: Clock;
  readonly #decoder = new FrameDecoder();
  readonly #timers = new Set<Timer>();
  #link: Link | null = null;
  #requestTimer: Timer | null = null;
  #ackTimer: Timer | null = null;
  #ackHeartbeats = 0;
  #shardId = 0;
  #skipsDeleted = false;
  #scannedTo = -1;
  #scanned = 0;
  #credit = 0;
  #phase: "handshake" | "scanning" | "waits-for-ack" | "caught-up" = "handshake";
  #sending = false;
  #heartbeatAtMs = 0;
  /** Frames of the follower that it has not read, and what waits for the next one. */
  #unread = 0;
  #reading: { readonly done: () => void; readonly timer: Timer } | null = null;
  #over = false;

  constructor(leader: SimLeader, clock: Clock) {
    this.#leader = leader;
    this.#clock = clock;
  }

  readonly events: LinkEvents = {
    opened: (link) => {
      this.#link = link;
      this.#awaitRequest();
    },
    received: (_link, chunk) => {
      if (this.#phase === "handshake") this.#awaitRequest();
      this.#decoder.push(chunk, (type, payload) => {
        this.#frame(type, payload);
        return !this.#over;
      });
    },
    ended: () => this.#ended(),
  };

  close(): void {
    this.#link?.close();
    this.#ended();
  }

  #awaitRequest(): void {
    this.#requestTimer?.cancel();
    this.#requestTimer = this.#after(REQUEST_MS, () => {
      if (this.#phase === "handshake") this.close();
    });
  }

  get #shard(): SimShard {
    return this.#leader.shards[this.#shardId] as SimShard;
  }

  #frame(type: FrameType, payload: Uint8Array): void {
    if (type === FRAME_SYNC_REQUEST && this.#phase === "handshake") {
      const request = decodeSyncRequest(payload);
      if (request !== null) this.#request(request);
    } else if (type === FRAME_ACK) this.#ack();
    else if (type === FRAME_HEARTBEAT) this.#heartbeat();
    if (this.#phase === "caught-up") this.#frameCame();
  }

  #request(request: SyncRequest): void {
    const { generation, shards } = this.#leader;
    this.#shardId = request.shardId;
    const version = generation === 1 ? 1 : 2;
    if (request.protocolVersion !== version) {
      return this.#refuse(versionMismatchText(version, request.protocolVersion));
    }
    if (request.shardId >= shards.length) return this.#refuse("invalid shard_id");
    this.#skipsDeleted = (request.flags & FLAG_EMPTY_STATE) !== 0;
    this.#send(encodeShardInfo(this.#leader.info));
    const shard = this.#shard;
    if (generation > 1 && shard.streaming !== null) return this.#refuse(ERROR_ALREADY_STREAMING);
    if (generation > 1 || !shard.streamTaken) {
      shard.streamTaken = true;
      shard.streaming = this;
      // Only generation 3 empties the ring for its next follower.
      if (generation === 3) Object.assign(shard, { ring: [], overflowed: false });
    }
    this.#phase = "scanning";
    this.#nextBatch();
  }

  #refuse(text: string): void {
    this.#send(encodeErrorFrame(text));
    this.close();
  }

  #ack(): void {
    if (this.#phase === "waits-for-ack") {
      this.#ackTimer?.cancel();
      this.#phase = "scanning";
      this.#nextBatch();
    } else if (this.#phase === "scanning") this.#credit++;
  }

  /** Reads on where the last batch ended, as the file is now. */
  #nextBatch(): void {
    const rest = this.#leader.slotsOf(this.#shardId).filter(({ slot, meta }) => {
      if (slot <= this.#scannedTo) return false;
      return !(this.#skipsDeleted && statusOf(meta) === STATUS_DELETED);
    });
    const encoder = new SlotBatchEncoder(this.#shardId, this.#leader.layout);
    for (const { slot, meta, image } of rest) {
      if (encoder.full) break;
      encoder.add(slot, meta, image);
      this.#scannedTo = slot;
    }
    const { truncateScanAt } = this.#leader;
    if (truncateScanAt !== null && this.#scanned >= truncateScanAt) return this.#cutShort();
    if (encoder.count === 0) return this.#caughtUp();
    this.#scanned += encoder.count;
    this.#phase = "waits-for-ack";
    this.#send(encoder.take());
    if (this.#credit === 0) {
      this.#ackHeartbeats = 0;
      return this.#awaitAck();
    }
    this.#credit--;
    this.#phase = "scanning";
    this.#after(0, () => this.#nextBatch());
  }

  #awaitAck(): void {
    this.#ackTimer?.cancel();
    if (this.#leader.isPatient) return;
    this.#ackTimer = this.#after(ACK_MS, () => this.close());
  }

  /** A leader that is closed in the middle of a scan says CaughtUp all the same, and hangs up. */
  #cutShort(): void {
    this.#leader.stopAccepting();
    this.#phase = "caught-up";
    this.#send(encodeCaughtUp({ shardId: this.#shardId, totalScanned: BigInt(this.#scanned) }));
    this.close();
  }

  #caughtUp(): void {
    this.#phase = "caught-up";
    this.#send(encodeCaughtUp({ shardId: this.#shardId, totalScanned: BigInt(this.#scanned) }));
    this.#heartbeatAtMs = this.#clock.nowMs() + this.#leader.periodMs();
    const { complains } = this.#leader;
    if (complains !== null) this.#after(complains.afterMs, () => this.#refuse(complains.text()));
    if (this.#shard.streaming !== this) return;
    // What ran ahead of the scan lies unread.
    this.#unread = this.#credit;
    if (this.#leader.options.waitsForFrames === true) return this.#look();
    this.#beat();
    this.eventsWait();
  }

  /** Sends what is in the ring, or a heartbeat that is due when there is nothing, and reads a frame behind either. */
  #look(): void {
    const shard = this.#shard;
    if (shard.overflowed) return this.#refuse(ERROR_EVENTS_DROPPED);
    const events = shard.ring.splice(0, 256);
    if (events.length > 0) this.#send(batchFrame(this.#shardId, this.#leader.layout, events));
    this.#read(() => {
      if (events.length > 0) return this.#look();
      const nowMs = this.#clock.nowMs();
      if (nowMs >= this.#heartbeatAtMs) {
        this.#heartbeatAtMs = nowMs + this.#leader.periodMs();
        this.#send(encodeHeartbeat());
      }
      this.#after(RING_POLL_MS, () => this.#look());
    });
  }

  #read(done: () => void): void {
    if (this.#unread > 0) {
      this.#unread--;
      this.#after(0, done);
      return;
    }
    const timer = this.#after(FRAME_WAIT_MS, () => {
      this.#reading = null;
      done();
    });
    this.#reading = { done, timer };
  }

  #frameCame(): void {
    const reading = this.#reading;
    this.#reading = null;
    if (reading === null) {
      this.#unread++;
      return;
    }
    reading.timer.cancel();
    this.#timers.delete(reading.timer);
    this.#after(0, reading.done);
  }

  /** Something is in the ring: it goes out at the next poll. */
  eventsWait(): void {
    if (this.#leader.options.waitsForFrames === true) return;
    if (this.#phase !== "caught-up" || this.#sending || this.#over) return;
    this.#sending = true;
    this.#after(RING_POLL_MS, () => {
      this.#sending = false;
      const shard = this.#shard;
      if (this.#leader.generation === 3 && shard.overflowed)
        return this.#refuse(ERROR_EVENTS_DROPPED);
      if (shard.ring.length === 0) return;
      const events = shard.ring.splice(0, 256);
      this.#send(batchFrame(this.#shardId, this.#leader.layout, events));
      this.eventsWait();
    });
  }

  #beat(): void {
    this.#after(Math.max(0, this.#heartbeatAtMs - this.#clock.nowMs()), () => {
      this.#heartbeatAtMs = this.#clock.nowMs() + this.#leader.periodMs();
      this.#send(encodeHeartbeat());
      this.#beat();
    });
  }

  /** Generation 1 echoes where it has no stream to give; everybody else is silent. */
  #heartbeat(): void {
    if (this.#phase === "waits-for-ack") {
      this.#ackHeartbeats++;
      if (this.#ackHeartbeats > ACK_HEARTBEATS_MAX) return this.close();
      return this.#awaitAck();
    }
    if (this.#leader.generation !== 1 || this.#phase !== "caught-up") return;
    if (this.#shard.streaming === this) return;
    this.#after(ECHO_MS, () => this.#send(encodeHeartbeat()));
  }

  #send(frame: Uint8Array): void {
    if (!this.#over && !this.#leader.muted.has(this.#shardId)) this.#link?.send(frame);
  }

  #ended(): void {
    if (this.#over) return;
    this.#over = true;
    for (const timer of this.#timers) timer.cancel();
    this.#leader.links.delete(this);
    const shard = this.#leader.shards[this.#shardId];
    if (shard?.streaming !== this) return;
    if (this.#leader.generation === 1) shard.streaming = null;
    else {
      this.#clock.after(FREE_AGAIN_MS, () => {
        if (shard.streaming === this) shard.streaming = null;
      });
    }
  }

  #after(ms: number, run: () => void): Timer {
    const timer = this.#clock.after(ms, () => {
      this.#timers.delete(timer);
      if (!this.#over) run();
    });
    this.#timers.add(timer);
    return timer;
  }
}
