// Finds out whether the leader lives when every shard of a follower has caught up for the first time: one question for all of them,
// so that `ready` and --once do not wait for a heartbeat (wire.md, point 19). Used by supervisor.ts.

import type { Address } from "../io/address.ts";
import type { Clock } from "../io/clock.ts";
import type { Net } from "../io/net.ts";
import { askVersion, type VersionQuestion } from "../link/ask-version.ts";

export interface VouchingOptions {
  readonly net: Net;
  readonly clock: Clock;
  readonly leader: Address;
  /** Whether no shard but those that ask has still to catch up. */
  areAllOthersDone(asking: ReadonlySet<number>): boolean;
  /** The leader accepted a connection for this. */
  accepted(): void;
  vouched(shard: number, link: number, lives: boolean): void;
}

export class Vouching {
  readonly #options: VouchingOptions;
  /** Shard to the connection whose scan adds up. */
  readonly #asking = new Map<number, number>();
  #question: VersionQuestion | null = null;
  #over = false;

  constructor(options: VouchingOptions) {
    this.#options = options;
  }

  /** The scan of this connection adds up. */
  confirming(shard: number, link: number): void {
    if (this.#over) return;
    this.#asking.set(shard, link);
    this.look();
  }

  /** A shard's connection is over, or its scan was vouched for otherwise: it waits for nothing. */
  forget(shard: number): void {
    this.#asking.delete(shard);
  }

  /** Asks, if nobody else has still to come. What is open by now and stays so is vouched for by the answer. */
  look(): void {
    const { net, clock, leader, areAllOthersDone, accepted, vouched } = this.#options;
    if (this.#over || this.#question !== null || this.#asking.size === 0) return;
    if (!areAllOthersDone(new Set(this.#asking.keys()))) return;
    const asked = new Map(this.#asking);
    this.#question = askVersion(net, clock, leader, ({ kind }) => {
      this.#question = null;
      if (kind !== "unreachable") accepted();
      for (const [shard, link] of asked) {
        if (this.#asking.get(shard) !== link) continue;
        this.#asking.delete(shard);
        vouched(shard, link, kind === "speaks");
      }
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
