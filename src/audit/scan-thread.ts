// The thread that scans one shard: reads its task, scans, posts the answer. Started by scan-pool.ts through
// io/threads.ts. Stop and progress go through shared memory, so that nothing waits for a message.

import { parentPort, workerData } from "node:worker_threads";
import { ArmdbError, assert, toPlainError } from "../errors.ts";
import { realDisk } from "../io/real-disk.ts";
import { realClock } from "../io/time.ts";
import { scanShard } from "./scan.ts";
import {
  CELL_SLOTS_DONE,
  CELL_STOP,
  type ScanThreadAnswer,
  type ScanThreadData,
} from "./scan-task.ts";

async function answerOf(data: ScanThreadData): Promise<ScanThreadAnswer> {
  const cells = new Uint32Array(data.cells);
  try {
    const result = await scanShard(data.task, {
      disk: realDisk,
      clock: realClock,
      shouldStop: () => Atomics.load(cells, CELL_STOP) !== 0,
      progress: (slotsDone) => Atomics.store(cells, CELL_SLOTS_DONE, slotsDone),
    });
    return { kind: "done", result };
  } catch (thrown) {
    // Bugs go on to the owner's `error` event.
    if (!(thrown instanceof ArmdbError)) throw thrown;
    return { kind: "failed", error: toPlainError(thrown) };
  }
}

assert(parentPort !== null, "scan-thread runs as a thread");
parentPort.postMessage(await answerOf(workerData as ScanThreadData));
