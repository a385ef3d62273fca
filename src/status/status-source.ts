// Where the running follower's status comes from: the supervisor, asked at the moment of the question. Used by the control
// socket, HTTP, the service manager and SIGUSR1, so that all of them say the same. Changes nothing.

import type { Clock } from "../io/clock.ts";
import { formatAddress } from "../io/address.ts";
import type { Supervisor } from "../replica/supervisor.ts";
import type { SyncPolicy } from "../replica/follower-types.ts";
import { runningStatus } from "./status-report.ts";
import type { StatusDocument } from "./status-types.ts";

export interface StatusSourceOptions {
  readonly supervisor: Pick<
    Supervisor,
    "protocol" | "geometry" | "connectionsToday" | "connectionsNextAtMs" | "saved" | "shards"
  >;
  readonly clock: Clock;
  readonly host: string;
  readonly port: number;
  readonly connectionsPerDay: number | null;
  readonly sync: SyncPolicy;
  /** Unix time at which the run before saved the state file; null: there was none with this leader. */
  readonly foundSavedAtMs: number | null;
  readonly pid: number;
}

export class StatusSource {
  readonly leader: string;
  readonly #options: StatusSourceOptions;
  readonly #startedAtMs: number;
  /** Set when the follower has been asked to stop. */
  stopping = false;

  constructor(options: StatusSourceOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock.nowMs();
    this.leader = formatAddress(options);
  }

  document(): StatusDocument {
    const { supervisor, clock, connectionsPerDay, sync, foundSavedAtMs, pid } = this.#options;
    return runningStatus({
      leader: this.leader,
      protocol: supervisor.protocol,
      connectionsToday: supervisor.connectionsToday,
      connectionsPerDay,
      stopping: this.stopping,
      sync,
      foundSavedAtMs,
      connectionsNextAtMs: supervisor.connectionsNextAtMs,
      saved: supervisor.saved,
      pid,
      nowMs: clock.nowMs(),
      startedAtMs: this.#startedAtMs,
      wallMs: clock.wallMs(),
      shardCount: supervisor.geometry?.shardCount ?? null,
      shards: supervisor.shards,
    });
  }
}
