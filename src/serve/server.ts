// A leader: listens, makes one session per connection, and ends them all in order. For any number of followers, each with
// its own scan and its own ring (wire.md allows what the crate's leaders cannot: a live stream for everybody).

import type { Clock } from "../io/clock.ts";
import type { Listener, Net } from "../io/net.ts";
import { SERVE_QUEUE_BYTES_MAX } from "../limits.ts";
import { STOP_DRAIN_MS } from "./bounds.ts";
import type { LiveSource } from "./live-source.ts";
import type { FollowerReport } from "./report.ts";
import type { ServedDatabase } from "./served-database.ts";
import { FollowerSession } from "./session.ts";

export interface LeaderOptions {
  readonly net: Net;
  readonly clock: Clock;
  readonly database: ServedDatabase;
  readonly live: LiveSource;
  report(report: FollowerReport): void;
}

export class LeaderServer {
  readonly #options: LeaderOptions;
  readonly #listener: Listener;
  readonly #sessions = new Set<FollowerSession>();
  #allEnded: (() => void) | null = null;

  private constructor(options: LeaderOptions, host: string, port: number) {
    this.#options = options;
    this.#listener = options.net.listen({
      host,
      port,
      sendQueueBytesMax: SERVE_QUEUE_BYTES_MAX,
      accept: (peer) => this.#accept(peer),
    });
  }

  /** Starts to listen; port 0 takes any free one. Throws ArmdbError when the address cannot be bound. */
  static start(options: LeaderOptions, host: string, port: number): LeaderServer {
    return new LeaderServer(options, host, port);
  }

  /** The address really bound, as `host:port`. */
  get at(): string {
    return this.#listener.at;
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Connections that are open. */
  get followers(): number {
    return this.#sessions.size;
  }

  /** Takes no more followers, lets live ones have their last events, and resolves when all are gone. At most 2 s. */
  async stop(): Promise<void> {
    this.#listener.stop();
    for (const session of [...this.#sessions]) session.finish();
    if (this.#sessions.size === 0) return;
    await new Promise<void>((resolve) => {
      const deadline = this.#options.clock.after(STOP_DRAIN_MS, () => {
        for (const session of [...this.#sessions]) session.abandon();
      });
      this.#allEnded = () => {
        deadline.cancel();
        resolve();
      };
    });
  }

  #accept(peer: string): FollowerSession {
    const { database, live, clock } = this.#options;
    const session = new FollowerSession({
      database,
      live,
      clock,
      peer,
      report: (report) => this.#options.report(report),
      ended: (ended) => this.#forget(ended),
    });
    this.#sessions.add(session);
    return session;
  }

  #forget(session: FollowerSession): void {
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.#allEnded?.();
  }
}
