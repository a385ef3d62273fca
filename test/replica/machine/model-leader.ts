// A leader of one shard, small enough that everything happens to it: six slots with versions, a ring of 8, one live
// stream, in three generations (wire.md). It drops, restarts, is replaced by another generation or an older directory,
// and ends scans early.

import {
  ERROR_ALREADY_STREAMING,
  ERROR_EVENTS_DROPPED,
  type ProtocolVersion,
  versionMismatchText,
} from "../../../src/wire/messages.ts";
import type { Dice } from "../../support/dice.ts";
import type { Timeline } from "./timeline.ts";

export const SLOTS = 6;
export const RING_EVENTS = 8;
const HEARTBEAT_MS = 5_000;

export interface RingEvent {
  readonly slot: number;
  readonly version: number;
  readonly number: number;
}

/** What comes over a connection. */
export type Message =
  | { readonly kind: "opened" | "shardInfo" | "caughtUp" | "heartbeat" | "eof" }
  | { readonly kind: "scan"; readonly slots: readonly (readonly [slot: number, version: number])[] }
  | { readonly kind: "batch"; readonly events: readonly RingEvent[]; readonly full: boolean }
  | { readonly kind: "error"; readonly text: string };

/** An event that a full ring dropped: who got the last of what was in it can know. */
export interface Drop {
  readonly slot: number;
  readonly version: number;
  readonly witness: number;
}

/** The leader's end of a connection. */
export class LeaderLink {
  readonly protocol: ProtocolVersion;
  readonly send: (message: Message) => void;
  phase: "handshake" | "scanning" | "past" | "closed" = "handshake";
  cursor = 0;
  isPolling = false;
  /** The stream was given to it. */
  hasStream = false;

  constructor(protocol: ProtocolVersion, send: (message: Message) => void) {
    this.protocol = protocol;
    this.send = send;
  }
}

export class ModelLeader {
  generation: 1 | 2 | 3;
  isUp = true;
  /** Of the process. */
  incarnation = 1;
  readonly versions: number[] = Array.from({ length: SLOTS }, () => 1);
  /** Since this process began, or its ring was emptied. */
  drops: Drop[] = [];
  /** Ever. */
  dropped = 0;
  readonly links = new Set<LeaderLink>();
  readonly batchEvents: number;
  #ring: RingEvent[] = [];
  #number = 0;
  #isFilling = false;
  #isOverflowed = false;
  #streamTaken = false;
  #streamer: LeaderLink | null = null;
  readonly #time: Timeline;
  readonly #dice: Dice;

  constructor(time: Timeline, dice: Dice) {
    this.#time = time;
    this.#dice = dice;
    this.generation = dice.pick([1, 2, 3]);
    this.batchEvents = 2 + dice.below(2);
  }

  get version(): ProtocolVersion {
    return this.generation === 1 ? 1 : 2;
  }

  write(): void {
    const slot = this.#dice.below(SLOTS);
    const version = (this.versions[slot] ?? 0) + 1;
    this.versions[slot] = version;
    if (!this.isUp || !this.#isFilling) return;
    if (this.#ring.length < RING_EVENTS) this.#ring.push({ slot, version, number: ++this.#number });
    else {
      this.#isOverflowed = true;
      this.dropped++;
      this.drops.push({ slot, version, witness: this.#number });
    }
    if (this.#streamer?.phase === "past") this.#poll(this.#streamer);
  }

  /** The first accept starts the ring, whoever it is. */
  accept(link: LeaderLink): void {
    this.#isFilling = true;
    this.links.add(link);
    link.send({ kind: "opened" });
    this.#later(link, this.#dice.below(30), () => this.#request(link));
  }

  #request(link: LeaderLink): void {
    if (link.protocol !== this.version) {
      return this.#refuse(link, versionMismatchText(this.version, link.protocol));
    }
    link.send({ kind: "shardInfo" });
    if (this.generation > 1 && this.#streamer !== null) {
      return this.#refuse(link, ERROR_ALREADY_STREAMING);
    }
    if (this.generation > 1 || !this.#streamTaken) this.#give(link);
    link.phase = "scanning";
    this.#scan(link, this.#dice.oneIn(4) ? 400 : 15);
  }

  #give(link: LeaderLink): void {
    this.#streamTaken = true;
    this.#streamer = link;
    link.hasStream = true;
    if (this.generation === 3) this.#empty();
  }

  #empty(): void {
    this.#ring = [];
    this.#isOverflowed = false;
    this.drops = [];
  }

  /** Another follower takes the stream: on generation 1 for good. */
  steal(): void {
    this.#streamTaken = true;
    this.#isFilling = true;
  }

  #refuse(link: LeaderLink, text: string): void {
    link.send({ kind: "error", text });
    this.forget(link);
  }

  #scan(link: LeaderLink, paceMs: number): void {
    this.#later(link, 1 + this.#dice.below(paceMs), () => {
      if (link.cursor >= SLOTS) return this.#caughtUp(link);
      const end = Math.min(SLOTS, link.cursor + 1 + this.#dice.below(3));
      const slots: [number, number][] = [];
      for (; link.cursor < end; link.cursor++)
        slots.push([link.cursor, this.versions[link.cursor] ?? 0]);
      link.send({ kind: "scan", slots });
      this.#scan(link, paceMs);
    });
  }

  #caughtUp(link: LeaderLink): void {
    link.phase = "past";
    link.send({ kind: "caughtUp" });
    if (this.#streamer !== link) return;
    this.#poll(link);
    this.#beat(link, HEARTBEAT_MS);
  }

  #poll(link: LeaderLink): void {
    if (link.isPolling) return;
    link.isPolling = true;
    this.#later(link, 1 + this.#dice.below(5), () => {
      link.isPolling = false;
      if (this.generation === 3 && this.#isOverflowed) {
        this.#empty();
        return this.#refuse(link, ERROR_EVENTS_DROPPED);
      }
      if (this.#ring.length === 0) return;
      const events = this.#ring.splice(0, this.batchEvents);
      link.send({ kind: "batch", events, full: events.length === this.batchEvents });
      this.#poll(link);
    });
  }

  /** At the first idle moment 5 s after the one before. */
  #beat(link: LeaderLink, ms: number): void {
    this.#later(link, ms, () => {
      if (this.#ring.length > 0) return this.#beat(link, 7);
      link.send({ kind: "heartbeat" });
      this.#beat(link, HEARTBEAT_MS);
    });
  }

  /** Generation 1 echoes where it has no stream to give. */
  probed(link: LeaderLink): void {
    if (this.generation !== 1 || link.phase !== "past" || this.#streamer === link) return;
    this.#later(link, this.#dice.below(900), () => link.send({ kind: "heartbeat" }));
  }

  /** The connection is gone, as far as the leader knows. */
  forget(link: LeaderLink): void {
    link.phase = "closed";
    this.links.delete(link);
    if (this.#streamer === link) this.#streamer = null;
  }

  /** The process ends: a scan under way is said to be done, and the connections end some time later. */
  stop(): void {
    this.isUp = false;
    this.drops = [];
    for (const link of [...this.links]) {
      if (link.phase === "scanning") link.send({ kind: "caughtUp" });
      this.forget(link);
      link.send({ kind: "eof" });
    }
  }

  /** Another process, perhaps of another generation. */
  start(): void {
    if (this.isUp) return;
    this.isUp = true;
    this.incarnation++;
    if (this.#dice.oneIn(3)) this.generation = this.#dice.pick([1, 2, 3]);
    this.#empty();
    this.#isFilling = false;
    this.#streamTaken = false;
    this.#streamer = null;
  }

  #later(link: LeaderLink, ms: number, run: () => void): void {
    const { incarnation } = this;
    this.#time.after(ms, () => {
      if (link.phase !== "closed" && incarnation === this.incarnation) run();
    });
  }
}
