// Finds out whether the leader lives when every shard of a follower has caught up for the first time: one question for all of them,
// so that `ready` and --once do not wait for a heartbeat (wire.md, point 19). Used by supervisor.ts. A scan that its leader cut short
// as it stopped must not be vouched for by the process that took its place, however late its own end comes through: where a
// connection was lost meanwhile, or nobody was seen to listen for a while, the scan waits for its own heartbeat instead.

import type { Address } from "../io/address.ts";
import type { Clock } from "../io/clock.ts";
import type { Net } from "../io/net.ts";
import { askVersion, type VersionQuestion } from "../link/ask-version.ts";

/** A leader that stops and is back within this, while nobody connects to it, is not told from one that went on. */
const UNSEEN_MS_MAX = 500;

export interface VouchingOptions {
  readonly net: Net;
  readonly clock: Clock;
  readonly leader: Address;
  /** Whether no shard but those that ask has still to catch up. */
  areAllOthersDone(asking: ReadonlySet<number>): boolean;
  /** Whether the budget has a connection for this; without one a heartbeat says it. */
  mayAsk(): boolean;
  /** The leader accepted a connection for this. */
  accepted(): void;
  vouched(shard: number, link: number, lives: boolean): void;
}

export class Vouching {
  readonly #options: VouchingOptions;
  /** Shard to the connection whose scan adds up. */
  readonly #asking = new Map<number, number>();
  #question: VersionQuestion | null = null;
  /** When a leader was last seen that accepts connections, or that had not begun to stop. */
  #seenAtMs = Number.NEGATIVE_INFINITY;
  #lostAtMs = Number.NEGATIVE_INFINITY;
  #over = false;

  constructor(options: VouchingOptions) {
    this.#options = options;
  }

  /** The scan of this connection adds up. */
  confirming(shard: number, link: number, caughtUpAtMs: number): void {
    if (this.#over || this.#lostAtMs >= caughtUpAtMs) return;
    this.#asking.set(shard, link);
    this.#seenAtMs = Math.max(this.#seenAtMs, caughtUpAtMs);
    this.look();
  }

  /** A leader accepted a connection: the one of before, unless it had the time to be exchanged. */
  listens(): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#seenAtMs > UNSEEN_MS_MAX) this.#asking.clear();
    this.#seenAtMs = nowMs;
  }

  /** A connection was lost, perhaps as its leader stopped; not so where that said so itself. */
  gone(shard: number, link: number, isToldSo: boolean): void {
    if (this.#asking.get(shard) === link) this.#asking.delete(shard);
    if (isToldSo) return;
    this.#asking.clear();
    this.#lostAtMs = this.#options.clock.nowMs();
  }

  /** A shard's thread died. */
  forget(shard: number): void {
    this.#asking.delete(shard);
  }

  /** Asks, if nobody else has still to come. What is open by now and stays so is vouched for by the answer. */
  look(): void {
    const { net, clock, leader, areAllOthersDone, mayAsk, accepted, vouched } = this.#options;
    if (this.#over || this.#question !== null || this.#asking.size === 0) return;
    if (!areAllOthersDone(new Set(this.#asking.keys())) || !mayAsk()) return;
    const asked = new Map(this.#asking);
    this.#question = askVersion(net, clock, leader, ({ kind }) => {
      this.#question = null;
      if (kind !== "unreachable") accepted();
      for (const [shard, link] of asked) {
        if (this.#asking.get(shard) !== link) continue;
        this.#asking.delete(shard);
        vouched(shard, link, kind === "speaks");
      }
      this.look();
    });
  }

  /** The follower was ready, or is stopped: from here on heartbeats say it. */
  stop(): void {
    this.#over = true;
    this.#asking.clear();
    this.#question?.stop();
    this.#question = null;
  }
}
