// The thread of one shard: a ShardFollower with the machine's disk, network and clock. A thin adapter: what it is told and what it
// says are messages.

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { assert } from "../../errors.ts";
import { realDisk } from "../../io/real-disk.ts";
import { shortenTimeSlice } from "../../io/scheduling.ts";
import { realNet } from "../../io/sockets.ts";
import { reportCrashes } from "../../io/threads.ts";
import { realClock, realRandom } from "../../io/time.ts";
import { createApplier } from "../apply/create-applier.ts";
import type { FollowerSettings } from "../follower-types.ts";
import { ShardFollower } from "../shard-follower.ts";
import type { ShardCommand, ShardMessage } from "../shard-messages.ts";
import { SharedCells } from "./shared-cells.ts";
import { portFlusher } from "./thread-flusher.ts";

/** What a thread is started for. */
export interface ShardThreadStart {
  readonly settings: FollowerSettings;
  /** Of a SharedCells. */
  readonly cells: SharedArrayBuffer;
  /** To the thread that makes the shard durable. */
  readonly flushPort: MessagePort;
}

const messages = parentPort;
assert(messages !== null, "shard-thread runs as a thread");
const { settings, cells: memory, flushPort } = workerData as ShardThreadStart;

/** Once it follows, most of what the start left behind in the thread's heap is given back: 0.5 MB of 5, 255 times. */
const TIDY_AFTER_MS = 10_000;
const LEAVE_AFTER_MS = 10_000;

function send(message: ShardMessage): void {
  messages?.postMessage(message);
  if (message.kind === "ready") realClock.after(TIDY_AFTER_MS, () => Bun.shrink());
  if (message.kind !== "ended") return;
  // Nothing keeps the thread alive after this.
  const leave = () => {
    flushPort.close();
    messages?.close();
  };
  // At a stop of all, the process ends first: taking hundreds of heaps down would hold up those that still close their files.
  if (cells.isToStop) realClock.after(LEAVE_AFTER_MS, leave);
  else leave();
}

reportCrashes((reason) => send({ kind: "crashed", reason }));
shortenTimeSlice();
const cells = new SharedCells(memory);
const follower = new ShardFollower(settings, {
  send,
  heard: (atMs) => cells.noteFrame(atMs),
  attention: cells,
  disk: realDisk,
  net: realNet,
  clock: realClock,
  random: realRandom,
  newFlusher: (directory) => portFlusher(flushPort, directory),
  newApplier: createApplier,
});
messages.on("message", (command: ShardCommand) => follower.take(command));
follower.start();
