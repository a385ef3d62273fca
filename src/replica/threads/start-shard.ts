// Starts the real threads of shards for the supervisor.

import type { Worker } from "node:worker_threads";
import { startThread } from "../../io/threads.ts";
import { SharedCells } from "./shared-cells.ts";
import type { ShardCommand, ShardMessage, ShardThreadStart } from "./shard-thread.ts";
import type { ShardThread, ShardThreads, StartShard } from "./shard-threads.ts";

/** The threads of one follower. */
export function createShardThreads(): ShardThreads {
  let waiting: Worker | null = null;
  const start: StartShard = (settings, received, died) => {
    const cells = new SharedCells();
    const follow = { kind: "follow", settings, cells: cells.memory } as const;
    const thread = waiting ?? startWorker(follow);
    if (thread === waiting) thread.postMessage(follow satisfies ShardCommand);
    waiting = null;
    return listenTo(thread, cells, received, died);
  };
  return {
    start,
    standBy(host, port) {
      const thread = startWorker({ kind: "stand-by", host, port });
      waiting = thread;
      // Whoever takes it starts another if this one is no more.
      const gone = () => {
        if (waiting === thread) waiting = null;
      };
      thread.on("error", gone);
      thread.on("exit", gone);
    },
    dismiss() {
      waiting?.postMessage({ kind: "stop" } satisfies ShardCommand);
      waiting = null;
    },
  };
}

function startWorker(start: ShardThreadStart): Worker {
  return startThread("replica/threads/shard-thread", start);
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
    if (message.kind === "report" && message.report.kind === "ended") ended = true;
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
    kill: () => void thread.terminate(),
  };
}
