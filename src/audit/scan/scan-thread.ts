// A thread that scans one shard after another, and parts of others: takes a task, scans, posts the answer. Started by
// scan/pool.ts through io/threads.ts. Stop and progress go through shared memory, so that nothing waits for a message.

import { parentPort } from "node:worker_threads";
import { ArmdbError, assert, toPlainError } from "../../errors.ts";
import { compileKernel } from "../../format/wasm-kernel.ts";
import { probeLibc } from "../../io/libc.ts";
import { realDisk } from "../../io/real-disk.ts";
import { realClock } from "../../io/time.ts";
import { BlockClaims } from "./claims.ts";
import type { HelpedBlock, ScanRequest, ScanThreadAnswer, ScanThreadRequest } from "./data.ts";
import { buffersOf, helpScan } from "./help.ts";
import { ScanRun, ShardState } from "./run.ts";
import { scanShard } from "./shard.ts";

/** What helpers are done with of the scan that is under way. */
let helped: HelpedBlock[] = [];

async function answerOf({ kind, task, run, cells }: ScanRequest): Promise<ScanThreadAnswer> {
  const shared = new ScanRun(realClock, run.bytesPerSecond, run);
  const state = ShardState.over(task, cells);
  const claims = new BlockClaims(task, state.cells);
  const tools = {
    disk: realDisk,
    task: shared.taskOf(state),
    state,
    budget: shared.budgetOf(state),
  };
  try {
    if (kind === "help") return { kind: "helped", help: await helpScan(task, claims, tools) };
    helped = [];
    const help = { claims, collect: () => helped.splice(0) };
    return { kind: "done", result: await scanShard(task, { ...tools, help }) };
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
