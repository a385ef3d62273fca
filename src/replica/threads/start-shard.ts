// What the supervisor has of a shard's thread, and how a real one is started; tests run all shards in one.

import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { shardDirectory } from "../../format/routing.ts";
import { startThread } from "../../io/threads.ts";
import type { FollowerSettings } from "../follower-types.ts";
import type { ShardCommand, ShardMessage } from "../shard-messages.ts";
import { FlushPool } from "./flush-pool.ts";
import type { ShardThreadStart } from "./shard-thread.ts";
import { SharedCells } from "./shared-cells.ts";

export interface ShardThread {
  send(command: ShardCommand): void;
  /** What it tells as of now, while its reports may wait. */
  readonly cells: SharedCells;
}

/** How a thread is started; `died` is called when it ended without an `ended` report. */
export type StartShard = (
  settings: FollowerSettings,
  received: (message: ShardMessage) => void,
  died: (reason: string) => void,
) => ShardThread;

/** The real threads of a follower's shards, and those that make them durable. */
export class ShardThreads {
  readonly #flushPool = new FlushPool();

  readonly start: StartShard = (settings, received, died) => {
    const cells = new SharedCells();
    const flushPort = this.#flushPool.portFor(settings.shard, settings.geometry?.shardCount ?? 1, {
      directory: join(settings.dir, shardDirectory(settings.shard)),
      owner: settings.owner,
      // With "batch" each Ack waits for a sync.
      givesWay: settings.sync !== "batch",
    });
    const start: ShardThreadStart = { settings, cells: cells.memory, flushPort };
    const thread = startThread("replica/threads/shard-thread", start, [flushPort]);
    return listenTo(thread, cells, received, died);
  };

  /** No shard begins any more; what is under way ends by itself. */
  stop(): void {
    this.#flushPool.stop();
  }
}

function listenTo(
  thread: Worker,
  cells: SharedCells,
  received: (message: ShardMessage) => void,
  died: (reason: string) => void,
): ShardThread {
  let ended = false;
  const die = (reason: string) => {
    if (ended) return;
    ended = true;
    died(reason);
  };
  thread.on("message", (message: ShardMessage) => {
    if (message.kind === "crashed") {
      die(message.reason);
      return;
    }
    if (message.kind === "ended") ended = true;
    received(message);
  });
  thread.on("error", (error: Error) => die(`${error.name}: ${error.message}`));
  thread.on("messageerror", () => die("a message could not be read"));
  // An exit code of 0 proves nothing: a rejected promise inside also ends so.
  thread.on("exit", (code: number) => die(`it ended with code ${code}`));
  return {
    cells,
    send(command: ShardCommand) {
      // A thread that loads its slots reads no message before it has.
      if (command.kind === "stop") cells.stop();
      thread.postMessage(command);
    },
  };
}
