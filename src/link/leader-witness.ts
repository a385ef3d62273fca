// Tells whether the leader's process that was there before a scan is still there behind it, so that its CaughtUp ended a whole scan
// (wire.md, points 15 and 19). A leader that answers a new connection has not begun to stop, but may be another process than the one
// that scanned; one that answers on a connection made before the scan is the same one, but may be stopping. Asked in this order, both
// answers together leave nothing open, however late the network hands an end on. `armdb serve` takes no request that drips: there a
// scan of over 10 s waits for its heartbeat. Used by vouching.ts and audit/leader-scan.ts.

import type { Address } from "../io/address.ts";
import type { Clock, Timer } from "../io/clock.ts";
import type { Net } from "../io/net.ts";
import {
  askVersion,
  type HeldQuestion,
  holdQuestion,
  type VersionQuestion,
} from "./ask-version.ts";

/** So long a connect may hold up the scans that it is for. */
const DIAL_MS_MAX = 1_000;

/**
 * `same`: the process of this era lives, and had not begun to stop when `ask` was called. `gone`: nobody lives there, or no leader.
 * `unknown`: a leader does, and nobody can say whether it is the same.
 */
export type WitnessWord = "same" | "gone" | "unknown";

export interface LeaderWitnessOptions {
  readonly net: Net;
  readonly clock: Clock;
  readonly leader: Address;
  /** Whether one more connection may be made. */
  mayConnect(): boolean;
  /** Whether anything of this era may still be asked for: else its connection is not renewed. */
  isNeeded(): boolean;
  /** The leader accepted one. */
  accepted(): void;
  /** `isSettled` became true. */
  settled(): void;
  /** What was dialed in this era cannot be vouched for any more. */
  eraEnded(): void;
}

export class LeaderWitness {
  readonly #options: LeaderWitnessOptions;
  /** Made before what it is to vouch for. */
  #held: HeldQuestion | null = null;
  /** To take its place: the old one is asked when this one is open. */
  #next: HeldQuestion | null = null;
  #isOpen = false;
  #era = 0;
  /** Scans wait for it to open while this runs. */
  #dialTimer: Timer | null = null;
  /** Whoever asked for the word, the question to whom listens now, and whether that was answered and the held one asked. */
  #answered: ((word: WitnessWord) => void) | null = null;
  #question: VersionQuestion | null = null;
  #isLast = false;

  constructor(options: LeaderWitnessOptions) {
    this.#options = options;
  }

  /** What is dialed while this is a number, and the same at `ask`, is vouched for by `same`. Null: nobody watches. */
  get era(): number | null {
    return this.#isOpen ? this.#era : null;
  }

  /** Whether a scan's connection has to wait for nothing. */
  get isSettled(): boolean {
    return this.#dialTimer === null;
  }

  /** Connects, unless it has; `settled` says when that ended, within a second. */
  begin(): void {
    const { clock, accepted, mayConnect } = this.#options;
    if (this.#held !== null || !mayConnect()) return;
    this.#dialTimer = clock.after(DIAL_MS_MAX, () => this.#settle());
    this.#held = this.#hold(() => {
      accepted();
      this.#isOpen = true;
      this.#era++;
      this.#settle();
    });
  }

  /** Asks for the word on what was dialed in this era; the era ends with it. Called again only after it was answered. */
  ask(answered: (word: WitnessWord) => void): void {
    this.#answered = answered;
    if (this.#next === null) this.#askWhoListens();
  }

  /** Ends the era: its connection is closed. What is being asked is still answered. */
  end(): void {
    const wasLast = this.#isLast;
    this.#endEra();
    if (this.#answered === null || this.#question !== null) return;
    if (wasLast) this.#answer("unknown");
    else this.#askWhoListens();
  }

  /** Nothing is answered any more. */
  stop(): void {
    this.#answered = null;
    this.#question?.stop();
    this.#question = null;
    this.#endEra();
  }

  #askWhoListens(): void {
    const { net, clock, leader, accepted } = this.#options;
    this.#question = askVersion(net, clock, leader, ({ kind }) => {
      this.#question = null;
      if (kind !== "unreachable") accepted();
      if (kind !== "speaks") return this.#answer("gone");
      if (!this.#isOpen) return this.#answer("unknown");
      this.#isLast = true;
      this.#held?.ask();
    });
  }

  #hold(opened: () => void): HeldQuestion {
    const { net, clock, leader } = this.#options;
    const held = holdQuestion(net, clock, leader, {
      opened,
      worn: () => this.#renew(),
      answered: ({ kind }) => {
        if (held === this.#next) this.#renewed(null);
        else if (held === this.#held) this.#heldEnded(kind === "speaks");
      },
    });
    return held;
  }

  #heldEnded(isThere: boolean): void {
    const next = this.#next;
    if (isThere && !this.#isLast && next !== null) return this.#renewed(next);
    if (this.#isLast) this.#answer(isThere ? "same" : "unknown");
    else this.end();
  }

  /** It is asked on when another one is open: an answer says that both reached the same process. */
  #renew(): void {
    const { mayConnect, isNeeded, accepted } = this.#options;
    if (this.#next !== null || this.#answered !== null) return;
    if (!isNeeded() || !mayConnect()) return this.#endEra();
    this.#next = this.#hold(() => {
      accepted();
      this.#held?.ask();
    });
  }

  #renewed(held: HeldQuestion | null): void {
    if (held !== null) this.#held = held;
    this.#next = null;
    if (this.#answered !== null) this.#askWhoListens();
  }

  #endEra(): void {
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    this.#isLast = false;
    this.#next?.stop();
    this.#next = null;
    this.#held?.stop();
    this.#held = null;
    this.#settle();
    if (wasOpen) this.#options.eraEnded();
  }

  #answer(word: WitnessWord): void {
    const answered = this.#answered;
    this.#answered = null;
    answered?.(word);
    this.#endEra();
  }

  #settle(): void {
    if (this.#dialTimer === null) return;
    this.#dialTimer.cancel();
    this.#dialTimer = null;
    this.#options.settled();
  }
}
