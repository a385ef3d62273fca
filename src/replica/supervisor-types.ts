// What the supervisor of a follower's shards (supervisor.ts) is given.

import type { ArmdbError, PlainError } from "../errors.ts";
import type { Clock } from "../io/clock.ts";
import type { Disk } from "../io/disk.ts";
import type { Net } from "../io/net.ts";
import type { ReplicaTarget } from "../store/replica-dir.ts";
import type { ProtocolVersion } from "../wire/messages.ts";
import type { FollowerReport, FollowerSettings } from "./follower-types.ts";
import type { StartShard } from "./threads/start-shard.ts";

/** What every shard's settings share. */
export type SharedSettings = Omit<
  FollowerSettings,
  "shard" | "protocol" | "geometry" | "exists" | "owner" | "followedBefore" | "saved"
>;

export interface SupervisorOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  /** For questions to the leader that are no shard's. */
  readonly net: Net;
  readonly startThread: StartShard;
  /** Threads that read what is on disk at the same time. */
  readonly startingMax: number;
  readonly target: ReplicaTarget;
  readonly shared: SharedSettings;
  /** Why so many shards cannot be followed by this process, or null. */
  readonly refusal: (shards: number) => PlainError | null;
  readonly connectionsPerDay: number | null;
  /** Takes the directory's lock; called once, before anything is written. */
  readonly lock: () => void;
  readonly reported: (report: FollowerReport) => void;
  /** The first ShardInfo of this run fitted. */
  readonly learned?: (protocol: ProtocolVersion) => void;
  /** Every shard has caught up and is durable. */
  readonly allReady: () => void;
  /** Every shard is over; the first error, by shard number, or null. */
  readonly allEnded: (error: ArmdbError | null) => void;
}
