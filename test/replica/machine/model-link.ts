// The follower's end of a connection in the model: a network that delays, stalls, loses and cuts, and what the scan
// over one link makes of it (CaughtUp is believed after a sign of life; silence has its bound). Tells its owner inputs,
// in order.

import type { ConnectionEnd } from "../../../src/replica/machine/inputs.ts";
import type { Role } from "../../../src/replica/machine/types.ts";
import type { Dice } from "../../support/dice.ts";
import { LeaderLink, type Message, type ModelLeader } from "./model-leader.ts";
import type { Timeline } from "./timeline.ts";

const CONNECT_MS = 5_000;
const SCAN_MS = 60_000;
const VOUCH_MS = 10_000;
const SILENCE_MS = 15_000;
const KEEPALIVE_MS = 17_000;
const CAUGHT_UP_CONFIRM_MS = 200;

export type Heard =
  | Exclude<Message, { kind: "error" | "eof" }>
  | { readonly kind: "whole" }
  | { readonly kind: "ended"; readonly end: ConnectionEnd };

export interface LinkWorld {
  readonly time: Timeline;
  readonly dice: Dice;
  readonly leader: ModelLeader;
  /** No faults any more. */
  readonly isQuiet: boolean;
  heard(link: ModelLink, what: Heard): void;
}

export class ModelLink {
  readonly link: number;
  readonly role: Role;
  readonly #world: LinkWorld;
  #there: LeaderLink | null = null;
  /** The leader's process at the other end; 0: none yet. */
  incarnation = 0;
  #phase: "dialing" | "making" | "scanning" | "confirming" | "past" = "dialing";
  #held: Message[] = [];
  #heardAtMs: number;
  #deliveredAtMs = 0;
  #stalledUntilMs = 0;
  #isSilent = false;
  #isVouched = false;
  #caughtUpAtMs = 0;
  #isOver = false;
  expectsHeartbeats = true;

  constructor(world: LinkWorld, link: number, role: Role, protocol: 1 | 2) {
    this.#world = world;
    this.link = link;
    this.role = role;
    const { time, dice } = world;
    this.#heardAtMs = time.nowMs;
    time.after(1 + dice.below(40), () => {
      const { leader } = world;
      if (this.#isOver) return;
      if (!leader.isUp) return this.#deliver({ kind: "eof" });
      this.incarnation = leader.incarnation;
      this.#there = new LeaderLink(protocol, (message) => this.#deliver(message));
      leader.accept(this.#there);
    });
    this.#watch();
  }

  /** The leader gave it the live stream. */
  get hasStream(): boolean {
    return this.#there?.hasStream === true;
  }

  /** Bytes wait on the way; nothing is lost. */
  stall(ms: number): void {
    this.#stalledUntilMs = this.#world.time.nowMs + ms;
  }

  /** The cable is pulled: nobody hears of the other, until the systems of each give it up. */
  silence(): void {
    if (this.#isSilent) return;
    this.#isSilent = true;
    this.#forgetLater(30_000);
    const { time, dice } = this.#world;
    const end = { kind: "lost", reason: "the connection broke: ETIMEDOUT" } as const;
    time.after(KEEPALIVE_MS + dice.below(5_000), () => this.#end(end), true);
  }

  /** The connection breaks: we hear of it at once, the leader some time later. */
  cut(): void {
    if (!this.#isSilent) this.#deliver({ kind: "eof" });
    this.#forgetLater(8_000);
  }

  /** The judge has begun its scan: what was held while the files were made comes now. */
  scan(): void {
    this.#phase = "scanning";
    const held = this.#held;
    this.#held = [];
    for (const message of held) this.#arrived(message);
  }

  probe(): void {
    const there = this.#there;
    if (there === null || this.#isSilent) return;
    this.#world.time.after(5, () => this.#world.leader.probed(there));
  }

  /** Closed by us: the leader sees it a moment later. */
  close(): void {
    this.#isOver = true;
    this.#forgetLater(120);
  }

  #forgetLater(msMax: number): void {
    const { time, dice, leader } = this.#world;
    const there = this.#there;
    if (there !== null) time.after(dice.below(msMax), () => leader.forget(there));
  }

  /** In order, after the network's time. */
  #deliver(message: Message): void {
    const { time, dice } = this.#world;
    if (this.#isSilent) return;
    const delayMs = message.kind === "eof" && !this.#world.isQuiet ? dice.below(2_000) : 0;
    const atMs = Math.max(
      time.nowMs + 1 + dice.below(20) + delayMs,
      this.#deliveredAtMs,
      this.#stalledUntilMs,
    );
    this.#deliveredAtMs = atMs;
    time.after(atMs - time.nowMs, () => this.#arrived(message), true);
  }

  #arrived(message: Message): void {
    if (this.#isOver || this.#isSilent) return;
    const isEnd = message.kind === "eof" || message.kind === "error";
    if (this.#phase === "making" && !isEnd) return void this.#held.push(message);
    this.#heardAtMs = this.#world.time.nowMs;
    switch (message.kind) {
      case "eof":
        return this.#end({ kind: "lost", reason: "the leader closed the connection" });
      case "error":
        // A scan that adds up is whole when the leader still says something behind it.
        if (this.#phase === "confirming") this.#vouched();
        return this.#isOver ? undefined : this.#end({ kind: "leader-error", text: message.text });
      case "shardInfo":
        this.#phase = "making";
        return this.#world.heard(this, message);
      case "caughtUp":
        return this.#caughtUp();
      case "opened":
      case "scan":
        return this.#world.heard(this, message);
      case "heartbeat":
      case "batch":
        this.#world.heard(this, message);
        if (this.#phase === "confirming") this.#signOfLife();
    }
  }

  #caughtUp(): void {
    const { time, dice, leader } = this.#world;
    if (dice.oneIn(12) && !this.#world.isQuiet) {
      return this.#end({ kind: "short", reason: "the totals differ" });
    }
    this.#phase = "confirming";
    this.#caughtUpAtMs = time.nowMs;
    this.#world.heard(this, { kind: "caughtUp" });
    // One question to the leader vouches for the links that are still open: a leader that stops answers none.
    if (dice.oneIn(2)) return;
    time.after(
      CAUGHT_UP_CONFIRM_MS + dice.below(300),
      () => {
        const lives = leader.isUp && leader.incarnation === this.incarnation;
        if (lives && this.#there?.phase !== "closed") this.#signOfLife();
      },
      true,
    );
  }

  #signOfLife(): void {
    if (this.#isVouched) return;
    this.#isVouched = true;
    const { time } = this.#world;
    const waitMs = Math.max(0, this.#caughtUpAtMs + CAUGHT_UP_CONFIRM_MS - time.nowMs);
    time.after(waitMs, () => this.#vouched(), true);
  }

  #vouched(): void {
    if (this.#isOver || this.#phase !== "confirming") return;
    this.#phase = "past";
    this.#world.heard(this, { kind: "whole" });
  }

  #end(end: ConnectionEnd): void {
    if (this.#isOver) return;
    this.close();
    this.#world.heard(this, { kind: "ended", end });
  }

  #boundMs(): number {
    switch (this.#phase) {
      case "dialing":
        return CONNECT_MS;
      case "making":
      case "scanning":
        return SCAN_MS;
      case "confirming":
        return VOUCH_MS;
      case "past":
        return this.expectsHeartbeats ? SILENCE_MS : Infinity;
    }
  }

  /** Gives up what says nothing for too long; what we could not hear while held up counts from its end. */
  #watch(): void {
    const { time } = this.#world;
    const sinceMs = Math.max(this.#heardAtMs, time.heldUntilMs);
    const dueMs = Math.min(sinceMs + this.#boundMs(), time.nowMs + SILENCE_MS) - time.nowMs;
    time.after(
      Math.max(1, dueMs),
      () => {
        if (this.#isOver) return;
        const silentMs = time.nowMs - Math.max(this.#heardAtMs, time.heldUntilMs);
        if (silentMs < this.#boundMs()) return this.#watch();
        this.#end(
          this.#phase === "confirming"
            ? { kind: "short", reason: "nobody vouched for the scan" }
            : { kind: "stalled", reason: "nothing came" },
        );
      },
      true,
    );
  }
}
