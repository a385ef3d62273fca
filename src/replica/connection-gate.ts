// Which shard may connect next. The day's budget bounds connections to a protocol 1 leader; at most 32 shards of any follower are
// between dial and scan, as a leader's accept queue holds 128 and a protocol 1 leader waits 10 s for the first ack (wire.md, point
// 23). Used by supervisor.ts. Promises: a request is granted once, in order, or dropped; nothing of a thread that died stays.

import type { Clock, Timer } from "../io/clock.ts";
import type { ProtocolVersion } from "../wire/messages.ts";
import type { ConnectionBudget } from "./connection-budget.ts";

const DIALING_MAX = 32;

interface Request {
  readonly shard: number;
  readonly request: number;
  readonly protocol: ProtocolVersion;
  at: "waiting" | "dialing" | "open";
  isAccepted: boolean;
  isHeld: boolean;
}

export interface ConnectionGateOptions {
  readonly clock: Clock;
  readonly budget: ConnectionBudget;
  /** Whether one may be granted now; \`look\` is called when that changes. */
  mayDial(): boolean;
  granted(shard: number, request: number): void;
  /** It is granted later, not before `untilMs`, unix time. */
  held(shard: number, request: number, untilMs: number, limit: number): void;
}

export class ConnectionGate {
  readonly #options: ConnectionGateOptions;
  /** In the order in which they came. */
  readonly #requests = new Map<string, Request>();
  /** By shard: when it first asked after its last accepted connection, so after that had ended; monotonic. */
  readonly #askingSinceMs = new Map<number, number>();
  /** The same of the connection that was accepted last. */
  readonly #acceptedSinceMs = new Map<number, number>();
  /** Shards whose last connection was accepted, with protocol 2: if the leader speaks 1, it cost as much. */
  readonly #uncounted = new Set<number>();
  /** Connections of no shard, accepted before it was known what the leader speaks. */
  #unclear = 0;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(options: ConnectionGateOptions) {
    this.#options = options;
  }

  /** When the budget allows the next connection, unix time; null where nobody waits for it. */
  get nextAtMs(): number | null {
    const isHeld = [...this.#requests.values()].some((request) => request.isHeld);
    if (!isHeld) return null;
    const { clock, budget } = this.#options;
    return clock.wallMs() + budget.waitMs(this.#pending());
  }

  ask(shard: number, request: number, protocol: ProtocolVersion): void {
    const { budget, clock } = this.#options;
    if (!this.#askingSinceMs.has(shard)) this.#askingSinceMs.set(shard, clock.nowMs());
    if (this.#uncounted.delete(shard) && protocol === 1) budget.accepted();
    if (protocol === 1) for (; this.#unclear > 0; this.#unclear--) budget.accepted();
    const waiting = {
      shard,
      request,
      protocol,
      at: "waiting",
      isAccepted: false,
      isHeld: false,
    } as const;
    this.#requests.set(keyOf(shard, request), { ...waiting });
    this.look();
  }

  drop(shard: number, request: number): void {
    this.#requests.delete(keyOf(shard, request));
    this.look();
  }

  tell(shard: number, request: number, what: "accepted" | "scanning" | "over"): void {
    const found = this.#requests.get(keyOf(shard, request));
    if (found === undefined) return;
    if (what === "accepted") {
      found.isAccepted = true;
      this.#acceptedSinceMs.set(shard, this.#askingSinceMs.get(shard) ?? 0);
      this.#askingSinceMs.delete(shard);
      if (found.protocol === 1) this.#options.budget.accepted();
      else this.#uncounted.add(shard);
      return;
    }
    found.at = "open";
    if (what === "scanning") this.#uncounted.delete(shard);
    else this.#requests.delete(keyOf(shard, request));
    this.look();
  }

  /** The leader accepted one of no shard; null: it is not known yet what it speaks. */
  acceptedOther(protocol: ProtocolVersion | null): void {
    if (protocol === 1) this.#options.budget.accepted();
    else if (protocol === null) this.#unclear++;
  }

  /** A shard got a stream again that it had lost (protocol 1). */
  leaderRestarted(shard: number): void {
    const sinceMs = this.#acceptedSinceMs.get(shard);
    if (sinceMs !== undefined) this.#options.budget.leaderRestarted(shard, sinceMs);
  }

  /** Its thread is no more, and with it all that it asked for. */
  threadGone(shard: number): void {
    for (const [key, request] of [...this.#requests]) {
      if (request.shard === shard) this.#requests.delete(key);
    }
    this.look();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#requests.clear();
  }

  /** Protocol 1 connections that are being made and may yet count. */
  #pending(): number {
    let pending = 0;
    for (const { at, protocol, isAccepted } of this.#requests.values()) {
      if (at === "dialing" && protocol === 1 && !isAccepted) pending++;
    }
    return pending;
  }

  /** Grants what can be granted now. */
  look(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#stopped) return;
    let dialing = 0;
    for (const { at } of this.#requests.values()) if (at === "dialing") dialing++;
    for (const request of this.#requests.values()) {
      if (request.at !== "waiting") continue;
      if (dialing >= DIALING_MAX) return;
      const waitMs = request.protocol === 1 ? this.#options.budget.waitMs(this.#pending()) : 0;
      if (waitMs > 0) this.#hold(request, waitMs);
      else if (!this.#options.mayDial()) return;
      else {
        dialing++;
        request.at = "dialing";
        request.isHeld = false;
        this.#options.granted(request.shard, request.request);
      }
    }
  }

  #hold(request: Request, waitMs: number): void {
    const { clock, budget, held } = this.#options;
    this.#timer ??= clock.after(waitMs, () => this.look());
    if (request.isHeld) return;
    request.isHeld = true;
    held(request.shard, request.request, clock.wallMs() + waitMs, budget.limit ?? 0);
  }
}

function keyOf(shard: number, request: number): string {
  return `${shard}:${request}`;
}
