// A thread that makes shards durable: fdatasync of a data file and the replacement of its cursor, so that the thread that
// reads the socket never waits for the disk. Serves each shard over a port, jobs in the order in which they come. A thin
// adapter: one job in, one answer out.

import { join } from "node:path";
import { type MessagePort, parentPort } from "node:worker_threads";
import { assert, toPlainError } from "../../errors.ts";
import { SHARD_FILE } from "../../format/shard-header.ts";
import type { DiskFile } from "../../io/disk.ts";
import type { FlushJob, FlushResult } from "../../io/flusher.ts";
import { realDisk } from "../../io/real-disk.ts";
import { giveWay } from "../../io/scheduling.ts";
import type { NewFileOwner } from "../../store/ownership.ts";
import { runFlushJob } from "./flush-job.ts";

export interface FlushThreadData {
  readonly directory: string;
  readonly owner: NewFileOwner;
  /** Nobody waits for a single sync: it may give way to the threads that follow. The same for all shards of a run. */
  readonly givesWay: boolean;
}

/** A shard that is to be made durable, by the jobs that come over its port. Closed with the port. */
export interface ServeShard {
  readonly port: MessagePort;
  readonly data: FlushThreadData;
}

const parent = parentPort;
assert(parent !== null, "flush-thread runs as a thread");
let hasGivenWay = false;

function serve({ port, data: { directory, owner, givesWay } }: ServeShard): void {
  if (givesWay && !hasGivenWay) hasGivenWay = giveWay();
  let file: DiskFile | null = null;
  port.on("message", (job: FlushJob) => {
    let result: FlushResult;
    try {
      // Its own descriptor of the same file: an error of the disk is told to every descriptor once.
      file ??= realDisk.open(join(directory, SHARD_FILE), "write");
      result = runFlushJob(realDisk, file, directory, owner, job);
    } catch (thrown) {
      // A bug too ends its own shard alone, and is told as one.
      result = { error: toPlainError(thrown), unsaved: null };
    }
    port.postMessage(result);
  });
  port.on("close", () => file?.close());
}

parent.on("message", (message: ServeShard | "stop") => {
  if (message === "stop") parent.close();
  else serve(message);
});
