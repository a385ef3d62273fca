// Where the running follower's status comes from: the supervisor, asked at the moment of the question. Used by the control
// socket, HTTP, the service manager and SIGUSR1, so that all of them say the same. Changes nothing.

import { type Address, formatAddress } from "../io/address.ts";
import type { Clock } from "../io/clock.ts";
import type { FollowerFacts } from "./follower-fields.ts";
import { runningStatus } from "./status-report.ts";
import type { StatusDocument } from "./status-types.ts";

export interface StatusSourceOptions
  extends
    Address,
    Pick<FollowerFacts, "supervisor" | "connectionsPerDay" | "sync" | "found" | "pid"> {
  readonly clock: Clock;
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
    const { leader, stopping } = this;
    const { clock } = this.#options;
    const now = { nowMs: clock.nowMs(), wallMs: clock.wallMs(), startedAtMs: this.#startedAtMs };
    return runningStatus({ ...this.#options, ...now, leader, stopping });
  }
}
