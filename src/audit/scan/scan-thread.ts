// A thread that scans one shard after another, and parts of others: takes a task, scans, posts the answer. Started by
// scan/pool.ts through io/threads.ts. Stop and progress go through shared memory, so that nothing waits for a message.

import { parentPort } from "node:worker_threads";
import { ArmdbError, assert, toPlainError } from "../../errors.ts";
import { compileKernel } from "../../format/wasm-kernel.ts";
import { probeLibc } from "../../io/libc.ts";
import { realDisk } from "../../io/real-disk.ts";
import { realClock } from "../../io/time.ts";
import { scanShard } from "./shard.ts";
import { BlockClaims, buffersOf, type HelpedBlock } from "./blocks.ts";
import { helpScan } from "./help.ts";
import {
  CELL_SLOTS_DONE,
  CELL_STOP,
  type HelpRequest,
  type ScanRequest,
  type ScanThreadAnswer,
  type ScanThreadRequest,
} from "./data.ts";

/** What helpers are done with of the scan that is under way. */
let helped: HelpedBlock[] = [];

async function answerOf(request: ScanRequest | HelpRequest): Promise<ScanThreadAnswer> {
  const { task } = request;
  const cells = new Uint32Array(request.cells);
  const claims = new BlockClaims(task, cells);
  const tools = {
    disk: realDisk,
    clock: realClock,
    shouldStop: () => Atomics.load(cells, CELL_STOP) !== 0,
  };
  try {
    if (request.kind === "help") return { kind: "helped", help: helpScan(task, claims, tools) };
    helped = [];
    const result = await scanShard(task, {
      ...tools,
      progress: (slotsDone) => Atomics.store(cells, CELL_SLOTS_DONE, slotsDone),
      help: { claims, collect: () => helped.splice(0) },
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
  switch (request.kind) {
    case "end":
      port.close();
      return;
    case "take":
      helped.push(...request.blocks);
      return;
    case "scan":
    case "help": {
      const answer = await answerOf(request);
      port.postMessage(answer, answer.kind === "helped" ? buffersOf(answer.help.blocks) : []);
    }
  }
});
// While the owner still finds out what there is to scan.
probeLibc();
compileKernel();
