// A thread that scans one shard after another: takes a task, scans, posts the answer. Started by scan-pool.ts through
// io/threads.ts. Stop and progress go through shared memory, so that nothing waits for a message.

import { parentPort } from "node:worker_threads";
import { ArmdbError, assert, toPlainError } from "../errors.ts";
import { compileKernel } from "../format/wasm-kernel.ts";
import { probeLibc } from "../io/libc.ts";
import { realDisk } from "../io/real-disk.ts";
import { realClock } from "../io/time.ts";
import { scanShard } from "./scan.ts";
import {
  CELL_SLOTS_DONE,
  CELL_STOP,
  type ScanThreadAnswer,
  type ScanThreadRequest,
  type ScanTask,
} from "./scan-task.ts";

async function answerOf(task: ScanTask, shared: SharedArrayBuffer): Promise<ScanThreadAnswer> {
  const cells = new Uint32Array(shared);
  try {
    const result = await scanShard(task, {
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

const port = parentPort;
assert(port !== null, "scan-thread runs as a thread");
port.on("message", async (request: ScanThreadRequest) => {
  if (request.kind === "end") port.close();
  else port.postMessage(await answerOf(request.task, request.cells));
});
// While the owner still finds out what there is to scan.
probeLibc();
compileKernel();
