// The thread of one shard: a ShardFollower with the machine's disk, network and clock. A thin adapter: what it is told and what it
// says are messages.

import { parentPort, workerData } from "node:worker_threads";
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
import { LastFrame } from "./last-frame.ts";
import { threadFlusher } from "./thread-flusher.ts";

/** What a thread is started for. */
export interface ShardThreadStart {
  readonly settings: FollowerSettings;
  /** Of a LastFrame. */
  readonly lastFrame: SharedArrayBuffer;
}

const messages = parentPort;
assert(messages !== null, "shard-thread runs as a thread");
const { settings, lastFrame: memory } = workerData as ShardThreadStart;

function send(message: ShardMessage): void {
  messages?.postMessage(message);
  // Nothing keeps the thread alive after this.
  if (message.kind === "ended") messages?.close();
}

reportCrashes((reason) => send({ kind: "crashed", reason }));
shortenTimeSlice();
const lastFrame = new LastFrame(memory);
const follower = new ShardFollower(settings, {
  send,
  heard: (atMs) => lastFrame.note(atMs),
  disk: realDisk,
  net: realNet,
  clock: realClock,
  random: realRandom,
  newFlusher: (directory) =>
    threadFlusher({
      directory,
      owner: settings.owner,
      // With "batch" each Ack waits for a sync.
      givesWay: settings.sync !== "batch",
    }),
  newApplier: createApplier,
});
messages.on("message", (command: ShardCommand) => follower.take(command));
follower.start();
