// A scan over a link in memory, with a leader that says what the test makes it say.

import { expect } from "bun:test";
import { packMeta, slotLayout, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import type { Link } from "../../src/io/net.ts";
import { ShardLink } from "../../src/link/shard-link.ts";
import type { ScanEnd, ScanSink } from "../../src/link/scan-types.ts";
import { ShardScan } from "../../src/link/shard-scan.ts";
import { WindowAcks } from "../../src/link/window-acks.ts";
import {
  encodeCaughtUp,
  encodeErrorFrame,
  encodeHeartbeat,
  encodeShardInfo,
  type ShardInfo,
} from "../../src/wire/messages.ts";
import { checkBatch } from "../../src/wire/slot-batch.ts";
import { batchFrame, scriptedSlot } from "../support/leader-scripts.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";

const LAYOUT = slotLayout(8, 16);

export class ScanStage {
  readonly clock = new ManualClock();
  readonly net = new MemoryNet(this.clock);
  readonly info: ShardInfo = { ...LAYOUT, shardCount: 1, slotCount: 1000, shardPrefixBits: 0 };
  readonly heard: string[] = [];
  readonly scan: ShardScan;
  readonly link: ShardLink;
  ends: ScanEnd[] = [];
  /** Waits for a word on whether the leader lives. */
  vouching: ((lives: boolean) => void) | null = null;
  /** Called with each thing that the sink hears. */
  onHeard: (what: string) => void = () => {};
  #peer: Link | null = null;

  constructor() {
    const { port } = this.net.listen({
      host: "127.0.0.1",
      port: 0,
      sendQueueBytesMax: 1_000_000,
      accept: () => ({
        opened: (link) => void (this.#peer = link),
        received: (link) => void (this.#peer = link),
        ended: () => void (this.#peer = null),
      }),
    });
    const at = { host: "127.0.0.1", port, shard: 0, protocol: 2, isEmpty: false } as const;
    this.link = new ShardLink(this.net, this.clock, { ...at, windowFor: () => 4 });
    this.scan = new ShardScan(this.link, this.#sink(), {
      clock: this.clock,
      acks: new WindowAcks(this.link, { clock: this.clock, bytesPerSecond: null }),
      vouch: (answer) => void (this.vouching = answer),
      ended: (end) => void this.ends.push(end),
    });
    this.scan.start();
    this.clock.advance(1);
  }

  #sink(): ScanSink {
    const hear = (what: string) => {
      this.heard.push(what);
      this.onHeard(what);
    };
    return {
      begin: () => hear("begin"),
      batch: (payload) => {
        const facts = checkBatch(payload, 0, LAYOUT, 2);
        if ("fault" in facts) return { fault: facts.fault };
        hear(`batch ${facts.slotFirst}-${facts.slotLast}`);
        return facts;
      },
      live: () => hear("live"),
      caughtUp: () => hear("caught-up"),
      heartbeat: () => hear("heartbeat"),
      chunkEnded: () => {},
    };
  }

  /** The leader sends frames, and the follower reads them. */
  say(...frames: readonly Uint8Array[]): void {
    for (const frame of frames) this.#peer?.send(frame);
    this.clock.advance(1);
  }

  begin(): void {
    this.say(encodeShardInfo(this.info));
  }

  batch(...slots: readonly number[]): Uint8Array {
    const key = new Uint8Array(8);
    const value = new Uint8Array(16);
    const scripted = slots.map((slot) =>
      scriptedSlot(slot, packMeta(STATUS_OCCUPIED, 1), LAYOUT, key, value),
    );
    return batchFrame(0, LAYOUT, scripted);
  }

  caughtUp(total: number): Uint8Array {
    return encodeCaughtUp({ shardId: 0, totalScanned: BigInt(total) });
  }

  heartbeat(): Uint8Array {
    return encodeHeartbeat();
  }

  error(text: string): Uint8Array {
    return encodeErrorFrame(text);
  }

  /** The leader closes its side. */
  hangUp(): void {
    this.#peer?.close();
    this.clock.advance(1);
  }

  /** The one end that there was. */
  get end(): ScanEnd {
    expect(this.ends).toHaveLength(1);
    return this.ends[0] as ScanEnd;
  }
}
