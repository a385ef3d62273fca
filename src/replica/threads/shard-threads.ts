// What the supervisor asks of the threads of its shards. The real ones are started by start-shard.ts; tests run all shards in one.

import type { FollowerSettings } from "../follower-types.ts";
import type { SharedCells } from "./shared-cells.ts";
import type { ShardCommand, ShardMessage } from "./shard-thread.ts";

export interface ShardThread {
  send(command: ShardCommand): void;
  /** What it tells as of now, while its reports may wait. */
  readonly cells: SharedCells;
  /** Ends it without more words. */
  kill(): void;
}

/** How a thread is started; `died` is called when it ended without an `ended` report. */
export type StartShard = (
  settings: FollowerSettings,
  received: (message: ShardMessage) => void,
  died: (reason: string) => void,
) => ShardThread;

export interface ShardThreads {
  readonly start: StartShard;
  /**
   * Has one more thread start, and dial the leader, before it is known what for: the next `start` takes it. Only a saving of
   * time; may do nothing.
   */
  standBy(host: string, port: number): void;
  /** Ends a thread that stands by; nothing when there is none. */
  dismiss(): void;
}
