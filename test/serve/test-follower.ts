// A follower for tests of the leader side: asks, acknowledges as told, and keeps all that it got.

import type { Clock } from "../../src/io/clock.ts";
import type { Link, LinkEnd, LinkEvents, Net } from "../../src/io/net.ts";
import type { SlotLayout } from "../../src/format/slot.ts";
import { FrameDecoder } from "../../src/wire/frame-decoder.ts";
import {
  type CaughtUp,
  decodeCaughtUp,
  decodeErrorText,
  decodeShardInfo,
  encodeAck,
  encodeHeartbeat,
  encodeSyncRequest,
  FRAME_CAUGHT_UP,
  FRAME_ERROR,
  FRAME_HEARTBEAT,
  FRAME_SHARD_INFO,
  FRAME_SLOT_BATCH,
  type FrameType,
  type ProtocolVersion,
  type ShardInfo,
} from "../../src/wire/messages.ts";
import { batchEvents, checkBatch, type SlotEvent } from "../../src/wire/slot-batch.ts";

export interface TestFollowerOptions {
  readonly shard: number;
  readonly protocol: number;
  readonly flags: number;
  /** Acks each batch as it comes; true unless told. */
  readonly acks?: boolean;
  /** Acks sent right behind the SyncRequest. */
  readonly acksAhead?: number;
  /** Sent in place of a SyncRequest; empty for nothing. */
  readonly firstBytes?: Uint8Array;
}

export interface TestFrame {
  readonly type: FrameType;
  readonly payload: Uint8Array;
  readonly atMs: number;
}

export class TestFollower {
  readonly #clock: Clock;
  readonly #options: TestFollowerOptions;
  readonly #decoder = new FrameDecoder();
  readonly #chunks: Uint8Array[] = [];
  readonly link: Link;
  readonly frames: TestFrame[] = [];
  end: LinkEnd | null = null;
  #applied = 0n;
  readonly #waiters = new Set<() => void>();

  constructor(net: Net, clock: Clock, port: number, options: TestFollowerOptions) {
    this.#clock = clock;
    this.#options = options;
    this.link = net.connect(
      { host: "127.0.0.1", port, timeoutMs: 5_000, sendQueueBytesMax: 1024 * 1024 },
      this.#events(),
    );
  }

  /** All bytes that came. */
  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#chunks));
  }

  get info(): ShardInfo | null {
    const frame = this.of(FRAME_SHARD_INFO)[0];
    return frame === undefined ? null : decodeShardInfo(frame.payload);
  }

  get caughtUp(): CaughtUp | null {
    const frame = this.of(FRAME_CAUGHT_UP)[0];
    return frame === undefined ? null : decodeCaughtUp(frame.payload);
  }

  get errorText(): string | null {
    const frame = this.of(FRAME_ERROR)[0];
    return frame === undefined ? null : decodeErrorText(frame.payload);
  }

  get batches(): TestFrame[] {
    return this.of(FRAME_SLOT_BATCH);
  }

  get heartbeats(): TestFrame[] {
    return this.of(FRAME_HEARTBEAT);
  }

  of(type: FrameType): TestFrame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  /** Every event of every batch, checked and copied. */
  events(layout: SlotLayout): SlotEvent[] {
    const protocol = this.#options.protocol as ProtocolVersion;
    return this.batches.flatMap(({ payload }) => {
      const checked = checkBatch(payload, this.#options.shard, layout, protocol);
      if ("fault" in checked) throw new Error(`a bad batch: ${checked.fault}`);
      return [...batchEvents(payload, layout, protocol)];
    });
  }

  ack(): void {
    this.#applied++;
    const { shard } = this.#options;
    this.link.send(encodeAck({ shardId: shard, appliedCount: this.#applied, maxVersionSeen: 1 }));
  }

  heartbeat(): void {
    this.link.send(encodeHeartbeat());
  }

  /** For real sockets: resolves once `condition` holds, looked at after each thing that happens. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiters.add(resolve));
  }

  #events(): LinkEvents {
    return {
      opened: (link) => {
        const { shard, protocol, flags, firstBytes, acksAhead = 0 } = this.#options;
        const request = { shardId: shard, protocolVersion: protocol, flags };
        const first = firstBytes ?? encodeSyncRequest(request);
        if (first.length > 0) link.send(first);
        for (let count = 0; count < acksAhead; count++) {
          link.send(encodeAck({ shardId: shard, appliedCount: 0n, maxVersionSeen: 0 }));
        }
      },
      received: (_link, chunk) => {
        this.#chunks.push(chunk.slice());
        const problem = this.#decoder.push(chunk, (type, payload) => {
          this.frames.push({ type, payload: payload.slice(), atMs: this.#clock.nowMs() });
          if (type === FRAME_SLOT_BATCH && (this.#options.acks ?? true)) this.ack();
          return true;
        });
        if (problem !== null) throw new Error(`the leader sent ${problem.fault}`);
        this.#wake();
      },
      ended: (_link, end) => {
        this.end = end;
        this.#wake();
      },
    };
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
    this.#waiters.clear();
  }
}
