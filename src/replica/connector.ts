// When and how one shard connects: the first time, after a loss, after an Error, with which protocol and which window. Makes no
// connection itself: it calls `dial` when one is due.

import type { PlainError } from "../errors.ts";
import type { Clock, RandomSource } from "../io/clock.ts";
import { formatAddress } from "../io/address.ts";
import { BATCH_BYTES_FULL } from "../limits.ts";
import type { ProtocolVersion } from "../wire/messages.ts";
import { Backoff } from "./backoff.ts";
import type { FollowerFigures } from "./follower-figures.ts";
import type { FollowerHost, FollowerSettings, ShardState } from "./follower-types.ts";
import type { Trouble } from "./leader-trouble.ts";
import { Timers } from "../io/timers.ts";

/** Pauses before a stream that was just given back is asked for again (wire.md, point 14). */
const SOON_DELAYS_MS = [150, 300, 600, 1_200] as const;
/** Past this a larger window gains nothing (hotpath: the ack window). */
const WINDOW_ACKS_MAX = 256;

export interface ConnectorOptions {
  readonly settings: FollowerSettings;
  readonly host: FollowerHost;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly figures: FollowerFigures;
  dial(): void;
  fail(error: PlainError): void;
  guard(run: () => void): void;
}

export class Connector {
  readonly #options: ConnectorOptions;
  readonly #timers: Timers<"connect">;
  readonly #backoff: Backoff;
  #soonTries = 0;
  #protocol: ProtocolVersion;
  /** The leader named another protocol than ours since its last ShardInfo. */
  #wasCorrected = false;
  #windowAcks: number;
  #dropsAreTold = false;
  #firstConnectAtMs: number | null = null;

  constructor(options: ConnectorOptions) {
    const { settings } = options;
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#backoff = new Backoff(options.random);
    this.#protocol = settings.protocol;
    this.#windowAcks = settings.windowAcks;
  }

  get protocol(): ProtocolVersion {
    return this.#protocol;
  }

  /** How many acks run ahead in a scan, at a leader of this many shards. */
  windowFor(shardCount: number): number {
    return acksAhead({ ...this.#options.settings, windowAcks: this.#windowAcks }, shardCount);
  }

  /** The leader has proved that it tells when it drops events (L3). */
  get dropsAreTold(): boolean {
    return this.#dropsAreTold;
  }

  /** When the shard's first connect began, monotonic ms. */
  get firstConnectAtMs(): number | null {
    return this.#firstConnectAtMs;
  }

  get leader(): string {
    const { host, port } = this.#options.settings;
    return formatAddress({ host, port });
  }

  /** Connects now, as far as the day's budget goes. */
  connect(): void {
    const { host, figures, clock } = this.#options;
    this.#timers.cancel("connect");
    host.acquireConnection(this.#protocol, (waitMs) => {
      if (this.#timers.stopped) return;
      if (waitMs > 0) {
        figures.state("waiting", "the day's connections to this leader are used up");
        this.#timers.set("connect", waitMs, () => this.connect());
        return;
      }
      this.#options.guard(() => {
        this.#firstConnectAtMs ??= clock.nowMs();
        // A stalled shard stays so until something comes.
        if (figures.current !== "stalled")
          figures.state("connecting", `connecting to ${this.leader}`);
        figures.connections++;
        this.#options.dial();
      });
    });
  }

  /** A connection is over: tries again, with the other protocol or later, or ends the shard. */
  answer(trouble: Trouble): void {
    const { settings, figures, fail } = this.#options;
    switch (trouble.kind) {
      case "none":
        return this.#connectSoon();
      case "other-protocol":
        return this.#speak(trouble.protocol, trouble.text);
      case "events-dropped":
        this.#dropsAreTold = true;
        // If that repeats, the scan is too slow for what is written meanwhile: more acks ahead.
        if (settings.limitRateBytes === null) {
          this.#windowAcks = Math.min(
            this.#windowAcks * 2,
            Math.max(WINDOW_ACKS_MAX, this.#windowAcks),
          );
        }
        figures.log("warn", "the leader dropped events and asks for a new scan");
        return this.#connectSoon();
      case "already-streaming":
        figures.error(trouble.text);
        if (this.#soonTries < SOON_DELAYS_MS.length) return this.#connectSoon();
        return this.#pause("waiting", trouble.text);
      case "not-a-leader":
        if (!settings.once) return this.#pause("waiting", trouble.text);
        return fail({
          code: "incompatible",
          message: `${this.leader} does not speak the replication protocol of armdb: ${trouble.text}`,
          hint: `armdb doctor ${this.leader}; is this the replication port of the service?`,
        });
      case "incompatible":
        return fail({
          code: "incompatible",
          message: `Cannot follow ${this.leader}, shard ${settings.shard}: ${trouble.text}`,
          hint: `armdb doctor ${this.leader}, armdb version`,
        });
      case "retry":
        return this.#pause(trouble.stalled ? "stalled" : "waiting", trouble.text);
    }
  }

  /** Takes the protocol that the leader names, at once; a peer that changes its mind each time gets the backoff's pauses. */
  #speak(protocol: ProtocolVersion, text: string): void {
    const isSecond = this.#wasCorrected;
    this.#wasCorrected = true;
    this.#protocol = protocol;
    if (isSecond) return this.#pause("waiting", text);
    this.#options.figures.log("info", `${text}; switching`);
    // The attempt that was refused has cost the leader as much as any.
    if (protocol === 1) this.#options.host.acquireConnection(1, () => {});
    this.connect();
  }

  /** The leader answered with a ShardInfo: what it was asked with is what it speaks. */
  agreed(): void {
    this.#wasCorrected = false;
  }

  /** Connects again with the backoff's pause. */
  #pause(state: ShardState, why: string): void {
    const { figures } = this.#options;
    const delayMs = this.#backoff.next();
    figures.reconnects++;
    figures.error(why);
    figures.state(state, `${why}; again in ${(delayMs / 1000).toFixed(1)} s`);
    this.#timers.set("connect", delayMs, () => this.connect());
  }

  /** Connects again almost at once: we closed the connection ourselves, or the leader asked for it. */
  #connectSoon(): void {
    const delayMs = SOON_DELAYS_MS[Math.min(this.#soonTries, SOON_DELAYS_MS.length - 1)] as number;
    this.#soonTries++;
    this.#options.figures.state("connecting", "opening the stream again");
    this.#timers.set("connect", delayMs, () => this.connect());
  }

  /** A whole scan came through: a later loss starts again with the shortest pauses. */
  progressed(): void {
    this.#soonTries = 0;
    this.#backoff.progressed();
  }

  stop(): void {
    this.#timers.stop();
  }
}

/**
 * How many acks run ahead in a scan. None with a sync before each Ack. With a rate limit no more than bring what the limit
 * allows in a second: the leader may send that much at once, and what follows is paced.
 */
export function acksAhead(
  settings: Pick<FollowerSettings, "sync" | "windowAcks" | "limitRateBytes">,
  shardCount: number,
): number {
  const { sync, windowAcks, limitRateBytes } = settings;
  if (sync === "batch") return 0;
  if (limitRateBytes === null) return windowAcks;
  return Math.min(windowAcks, Math.floor(limitRateBytes / shardCount / BATCH_BYTES_FULL));
}
