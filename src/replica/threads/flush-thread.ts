// The thread that makes one shard durable: fdatasync of its data file and the replacement of its cursor, so that the thread
// that reads the socket never waits for the disk. A thin adapter: one job in, one answer out.

import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../errors.ts";
import { SHARD_FILE } from "../../format/shard-header.ts";
import type { FlushJob } from "../../io/flusher.ts";
import { realDisk } from "../../io/real-disk.ts";
import { giveWay } from "../../io/scheduling.ts";
import type { NewFileOwner } from "../../store/ownership.ts";
import { runFlushJob } from "./flush-job.ts";

export interface FlushThreadData {
  readonly directory: string;
  readonly owner: NewFileOwner;
  /** Nobody waits for a single sync: it may give way to the threads that follow. */
  readonly givesWay: boolean;
}

/** A job, or the end. */
export type FlushRequest = FlushJob | "stop";

const port = parentPort;
assert(port !== null, "flush-thread runs as a thread");
const { directory, owner, givesWay } = workerData as FlushThreadData;
if (givesWay) giveWay();
// Its own descriptor of the same file: an error of the disk is told to every descriptor once.
const file = realDisk.open(join(directory, SHARD_FILE), "write");

port.on("message", (request: FlushRequest) => {
  if (request === "stop") {
    file.close();
    port.close();
    return;
  }
  port.postMessage(runFlushJob(realDisk, file, directory, owner, request));
});
