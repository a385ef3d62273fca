// The threads that make shards durable: few for many shards, as most of what a thread costs is its own heap. Each shard's
// thread has a port of its own to one of them. Used by start-shard.ts; runs on the main thread.

import { MessageChannel, type MessagePort, type Worker } from "node:worker_threads";
import { startThread } from "../../io/threads.ts";
import type { FlushThreadData, ServeShard } from "./flush-thread.ts";

/** Up to so many shards each has a thread to itself. */
const THREADS_ALONE = 8;
/** Above, so many shards share one: a sync that hangs holds up the others of its thread, and their durable lag says so. */
const SHARDS_PER_THREAD = 8;

/** How many threads make so many shards durable. */
export function flushThreadsFor(shards: number): number {
  return Math.min(shards, Math.max(THREADS_ALONE, Math.ceil(shards / SHARDS_PER_THREAD)));
}

export class FlushPool {
  readonly #threads = new Map<number, Worker>();

  /**
   * The end of a channel for a shard's thread, to be handed over to it. `shards` is how many there are in all, 1 before that
   * is known. The port is closed when the thread behind it dies.
   */
  portFor(shard: number, shards: number, data: FlushThreadData): MessagePort {
    const { port1, port2 } = new MessageChannel();
    const index = shard % flushThreadsFor(shards);
    const serve: ServeShard = { port: port1, data };
    this.#thread(index).postMessage(serve, [port1]);
    return port2;
  }

  #thread(index: number): Worker {
    const found = this.#threads.get(index);
    if (found !== undefined) return found;
    const thread = startThread("replica/threads/flush-thread", null);
    this.#threads.set(index, thread);
    const gone = () => {
      if (this.#threads.get(index) === thread) this.#threads.delete(index);
    };
    // Its shards learn of it by their ports.
    thread.on("error", gone);
    thread.on("exit", gone);
    return thread;
  }

  /** Nothing more is handed over: each thread ends when its shards have closed their ports. */
  stop(): void {
    for (const thread of this.#threads.values()) thread.postMessage("stop");
  }
}
