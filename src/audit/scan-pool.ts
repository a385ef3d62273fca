// Scans several shards, each in a thread of its own, so many at a time. Used by verify. Small databases, and any disk but
// the real one (tests), are scanned on the caller's thread, one shard after another.

import { fromPlainError } from "../errors.ts";
import type { Clock } from "../io/clock.ts";
import type { Disk } from "../io/disk.ts";
import { realDisk } from "../io/real-disk.ts";
import { startThread } from "../io/threads.ts";
import { scanShard } from "./scan.ts";
import {
  CELL_SLOTS_DONE,
  CELL_STOP,
  type ScanResult,
  type ScanTask,
  type ScanThreadAnswer,
  SHARED_CELLS_BYTES,
} from "./scan-task.ts";

export interface PoolTools {
  readonly disk: Disk;
  readonly clock: Clock;
  /** Ends the scans early; what they found is kept. */
  readonly stop: AbortSignal;
  /** Slots done, one number a task in their order. */
  progress(slotsDone: readonly number[]): void;
}

/** Less than this is scanned before a thread has started. */
const THREAD_BYTES_MIN = 8 * 1024 * 1024;
const PROGRESS_INTERVAL_MS = 100;

/** Results in the order of the tasks; at most `jobs` at a time. */
export async function scanShards(
  tasks: readonly ScanTask[],
  jobs: number,
  tools: PoolTools,
): Promise<ScanResult[]> {
  const bytes = tasks.reduce((sum, task) => sum + task.fileBytes, 0);
  const usesThreads = tools.disk === realDisk && bytes >= THREAD_BYTES_MIN;
  return usesThreads ? await scanInThreads(tasks, jobs, tools) : await scanHere(tasks, tools);
}

async function scanHere(tasks: readonly ScanTask[], tools: PoolTools): Promise<ScanResult[]> {
  const done = tasks.map(() => 0);
  const results: ScanResult[] = [];
  for (const [index, task] of tasks.entries()) {
    const result = await scanShard(task, {
      disk: tools.disk,
      clock: tools.clock,
      shouldStop: () => tools.stop.aborted,
      progress(slotsDone) {
        done[index] = slotsDone;
        tools.progress(done);
      },
    });
    results.push(result);
  }
  return results;
}

async function scanInThreads(
  tasks: readonly ScanTask[],
  jobs: number,
  tools: PoolTools,
): Promise<ScanResult[]> {
  const cells = tasks.map(() => new Uint32Array(new SharedArrayBuffer(SHARED_CELLS_BYTES)));
  const onStop = () => cells.forEach((cell) => Atomics.store(cell, CELL_STOP, 1));
  if (tools.stop.aborted) onStop();
  tools.stop.addEventListener("abort", onStop);
  const results: ScanResult[] = [];
  let next = 0;
  const work = async () => {
    for (let index = next++; index < tasks.length; index = next++) {
      results[index] = await scanInThread(tasks[index] as ScanTask, cells[index] as Uint32Array);
    }
  };
  let timer = tools.clock.after(PROGRESS_INTERVAL_MS, show);
  function show(): void {
    tools.progress(cells.map((cell) => Atomics.load(cell, CELL_SLOTS_DONE)));
    timer = tools.clock.after(PROGRESS_INTERVAL_MS, show);
  }
  try {
    await Promise.all(Array.from({ length: Math.min(jobs, tasks.length) }, work));
  } finally {
    timer.cancel();
    // A scan that failed ends the others; their threads must not outlive the command.
    onStop();
    tools.stop.removeEventListener("abort", onStop);
  }
  return results;
}

function scanInThread(task: ScanTask, cells: Uint32Array): Promise<ScanResult> {
  return new Promise((resolve, reject) => {
    const thread = startThread("audit/scan-thread", { task, cells: cells.buffer });
    thread.on("message", (answer: ScanThreadAnswer) => {
      if (answer.kind === "done") resolve(answer.result);
      else reject(fromPlainError(answer.error));
    });
    thread.on("error", reject);
    thread.on("messageerror", reject);
    // After an answer this changes nothing; without one the thread died silently.
    thread.on("exit", () =>
      reject(new Error(`The scan of shard ${task.shard} ended without an answer`)),
    );
  });
}
