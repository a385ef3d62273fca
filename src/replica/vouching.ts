// Finds out whether the leader lives when every shard of a follower has caught up for the first time: one word for all of them, so
// that `ready` and --once do not wait for a heartbeat (wire.md, point 19). A scan that its leader cut short as it stopped is not
// vouched for by the process that took its place: a connection from before the scan is asked too. Used by supervisor.ts.

import type { Address } from "../io/address.ts";
import type { Clock } from "../io/clock.ts";
import type { Net } from "../io/net.ts";
import { LeaderWitness } from "../link/leader-witness.ts";

export interface VouchingOptions {
  readonly net: Net;
  readonly clock: Clock;
  readonly leader: Address;
  /** The shards that have still to catch up; null while it is not known how many there are. */
  stillToCome(): readonly number[] | null;
  /** Whether the budget has a connection for this, before the scans and behind them; without one a heartbeat says it. */
  mayConnect(): boolean;
  mayAsk(): boolean;
  /** The leader accepted a connection for this. */
  accepted(): void;
  /** `mayDial` became true. */
  settled(): void;
  vouched(shard: number, link: number, lives: boolean): void;
}

export class Vouching {
  readonly #options: VouchingOptions;
  readonly #witness: LeaderWitness;
  /** Shard to the connection whose scan adds up. */
  readonly #asking = new Map<number, number>();
  /** Shard to the witness' era in which its last connection was granted. */
  readonly #eras = new Map<number, number | null>();
  #isAsked = false;
  /** Whether it connects at the next look: once, and then only to a leader that began a scan since. */
  #isWanted = true;
  #over = false;

  constructor(options: VouchingOptions) {
    this.#options = options;
    this.#witness = new LeaderWitness({
      ...options,
      isNeeded: () => this.#isNeeded(),
      eraEnded: () => this.#asking.clear(),
    });
  }

  /** The leader scans for a shard. */
  scanning(): void {
    this.#isWanted = true;
  }

  /** Whether a shard's connection may be made now: the witness' is there, or cannot be had within a second. */
  mayDial(): boolean {
    if (this.#over) return true;
    if (this.#isWanted) this.#witness.begin();
    this.#isWanted = false;
    return this.#witness.isSettled;
  }

  /** The shard connects now. */
  granted(shard: number): void {
    this.#eras.set(shard, this.#witness.era);
  }

  /** The scan of this connection adds up. */
  confirming(shard: number, link: number): void {
    if (this.#over || this.#witness.era === null) return;
    if (this.#eras.get(shard) === this.#witness.era) this.#asking.set(shard, link);
    this.look();
  }

  /** A shard's connection ended. A leader that stops waits for every handler, so the witness does not hold it up. */
  gone(shard: number, link: number, mayStop: boolean): void {
    if (this.#asking.get(shard) === link) this.#asking.delete(shard);
    this.#eras.delete(shard);
    if (!mayStop || this.#over) return;
    this.#witness.end();
    this.#isWanted = true;
  }

  /** A shard's thread died. */
  forget(shard: number): void {
    this.#asking.delete(shard);
    this.#eras.delete(shard);
  }

  /** Asks, if nobody else has still to come. */
  look(): void {
    const { stillToCome, mayAsk, vouched } = this.#options;
    if (this.#over || this.#isAsked || this.#asking.size === 0) return;
    const areAllHere = stillToCome()?.every((shard) => this.#asking.has(shard)) ?? false;
    if (!areAllHere || !mayAsk()) return;
    const asked = new Map(this.#asking);
    this.#isAsked = true;
    this.#witness.ask((word) => {
      this.#isAsked = false;
      for (const [shard, link] of asked) {
        if (this.#asking.get(shard) !== link) continue;
        this.#asking.delete(shard);
        if (word !== "unknown") vouched(shard, link, word === "same");
      }
    });
  }

  /** Whether a scan of this era is under way. */
  #isNeeded(): boolean {
    const shards = this.#options.stillToCome() ?? [...this.#eras.keys()];
    return shards.some((shard) => this.#eras.get(shard) === this.#witness.era);
  }

  /** The follower was ready, or is stopped: from here on heartbeats say it. */
  stop(): void {
    this.#over = true;
    this.#asking.clear();
    this.#witness.stop();
  }
}
