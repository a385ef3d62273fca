// A leader of any generation in memory, as wire.md says that they really behave: one live stream a shard (given once on
// generation 1), a ring of 8192 events that drops in silence or with an Error, a scan paced by acks, heartbeats, echoes. Driven
// by a Net and a Clock alone. It can be wrong only in the ways in which real leaders are wrong.

import { packMeta, type SlotLayout, slotLayout } from "../../src/format/slot.ts";
import type { Clock } from "../../src/io/clock.ts";
import type { Listener, Net } from "../../src/io/net.ts";
import type { ShardInfo } from "../../src/wire/messages.ts";
import { type ScriptedSlot, scriptedSlot } from "./leader-scripts.ts";
import { SimLeaderLink } from "./sim-leader-link.ts";

/** L1 to L3 of wire.md. */
export type Generation = 1 | 2 | 3;

export const GENERATIONS: readonly Generation[] = [1, 2, 3];

/** From one heartbeat to the next. */
const HEARTBEAT_MS = 5_000;
/** Events that wait in a ring before it drops. */
const RING_EVENTS = 8192;
const LINK_QUEUE_BYTES_MAX = 64 * 1024 * 1024;

export interface SimLeaderOptions {
  readonly net: Net;
  readonly clock: Clock;
  readonly generation: Generation;
  readonly shards?: number;
  /** Slots a shard. */
  readonly slots?: number;
  readonly port?: number;
  /** From one heartbeat to the next; 5 s unless given. */
  readonly periodMs?: () => number;
  /** It reads one frame of ours a look at its ring, and waits up to 20 ms for it: generation 3 as it is under load. */
  readonly waitsForFrames?: boolean;
}

/** What one shard of the leader has. */
export class SimShard {
  readonly slots = new Map<number, ScriptedSlot>();
  ring: ScriptedSlot[] = [];
  /** Events that fell out of the ring, ever. */
  dropped = 0;
  /** They fell out since the stream was last given. */
  overflowed = false;
  /** Generation 1: given to somebody, once. */
  streamTaken = false;
  streaming: SimLeaderLink | null = null;
}

export class SimLeader {
  readonly options: SimLeaderOptions;
  readonly layout: SlotLayout = slotLayout(8, 16);
  shards: SimShard[];
  /** Connections since the process began; generation 1 starts its rings with the first. */
  connections = 0;
  connectionsEver = 0;
  /** Shards whose connections say nothing: a thread that hangs. */
  readonly muted = new Set<number>();
  /** The leader begins to stop when a scan has come so far: it accepts nobody any more, and ends the scan early. */
  truncateScanAt: number | null = null;
  /** It waits for the acks of its scans as long as they take: real ones 10 s. */
  isPatient = false;
  /** Ends each connection with an Error, so long after its CaughtUp. */
  complains: { readonly afterMs: number; text(): string } | null = null;
  #listener: Listener | null = null;
  #port: number;
  readonly links = new Set<SimLeaderLink>();

  constructor(options: SimLeaderOptions) {
    this.options = options;
    this.#port = options.port ?? 0;
    this.shards = Array.from({ length: options.shards ?? 1 }, () => new SimShard());
    this.start();
  }

  /** Ms until the next heartbeat. */
  periodMs(): number {
    return this.options.periodMs?.() ?? HEARTBEAT_MS;
  }

  get generation(): Generation {
    return this.options.generation;
  }

  get port(): number {
    return this.#port;
  }

  get info(): ShardInfo {
    const slotCount = this.options.slots ?? 1000;
    return { ...this.layout, shardCount: this.shards.length, slotCount, shardPrefixBits: 0 };
  }

  /** Listens, as a new process over the same data. */
  start(): void {
    const { net, clock } = this.options;
    this.connections = 0;
    for (const shard of this.shards) {
      Object.assign(shard, { ring: [], overflowed: false, streamTaken: false, streaming: null });
    }
    this.#listener = net.listen({
      host: "127.0.0.1",
      port: this.#port,
      sendQueueBytesMax: LINK_QUEUE_BYTES_MAX,
      accept: () => {
        this.connections++;
        this.connectionsEver++;
        const link = new SimLeaderLink(this, clock);
        this.links.add(link);
        return link.events;
      },
    });
    this.#port = this.#listener.port;
  }

  get isStopped(): boolean {
    return this.#listener === null;
  }

  /** Accepts nobody any more. */
  stopAccepting(): void {
    this.#listener?.stop();
    this.#listener = null;
  }

  /** The process is gone, and with it its connections. */
  stop(): void {
    this.#listener?.stop();
    this.#listener = null;
    for (const link of this.links) link.close();
    this.links.clear();
  }

  /** Writes a slot: its version goes up by one. The value is made from `seed`. */
  put(shard: number, slot: number, seed: number): void {
    this.#change(shard, slot, 1, seed);
  }

  remove(shard: number, slot: number): void {
    if (this.#at(shard).slots.has(slot)) this.#change(shard, slot, 2, 0);
  }

  /** Sets a slot to a state of its own, without an event: as a restored backup or damage does. */
  set(shard: number, slot: number, version: number, seed: number): void {
    this.#at(shard).slots.set(slot, this.#slotOf(slot, 1, version, seed));
  }

  /** Forgets a slot without an event. */
  forget(shard: number, slot: number): void {
    this.#at(shard).slots.delete(slot);
  }

  /** The shard's slots in order. */
  slotsOf(shard: number): ScriptedSlot[] {
    return [...this.#at(shard).slots.values()].sort((a, b) => a.slot - b.slot);
  }

  #at(shard: number): SimShard {
    const found = this.shards[shard];
    if (found === undefined) throw new Error(`no shard ${shard}`);
    return found;
  }

  #change(shard: number, slot: number, status: 1 | 2, seed: number): void {
    const state = this.#at(shard);
    const version = ((state.slots.get(slot)?.meta ?? 0) >>> 2) + 1;
    const made = this.#slotOf(slot, status, version, seed);
    state.slots.set(slot, made);
    if (this.connections === 0) return;
    if (state.ring.length < RING_EVENTS) state.ring.push(made);
    else {
      state.dropped++;
      state.overflowed = true;
    }
    state.streaming?.eventsWait();
  }

  /** The key tells the slot, so that no key is ever in two slots. */
  #slotOf(slot: number, status: 1 | 2, version: number, seed: number): ScriptedSlot {
    const key = new Uint8Array(8);
    new DataView(key.buffer).setUint32(0, slot);
    const value = new Uint8Array(16);
    new DataView(value.buffer).setUint32(0, seed);
    new DataView(value.buffer).setUint32(4, version);
    return scriptedSlot(slot, packMeta(status, version), this.layout, key, value);
  }
}
