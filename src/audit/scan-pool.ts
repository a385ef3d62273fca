// Scans several shards in threads, each thread one shard after another. Used by verify and verify-cursor. Small databases,
// and any disk but the real one (tests), are scanned on the caller's thread.

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
  type ScanThreadRequest,
  SHARED_CELLS_BYTES,
} from "./scan-task.ts";

export interface PoolTools {
  readonly clock: Clock;
  /** Ends the scans early; what they found is kept. */
  readonly stop: AbortSignal;
  /** Slots done, one number a task in their order. */
  progress(slotsDone: readonly number[]): void;
}

/** Less than this is scanned before a thread has started. */
const THREAD_BYTES_MIN = 8 * 1024 * 1024;
const PROGRESS_INTERVAL_MS = 100;

/** Opened as soon as it is known how much there is to scan: its threads start while the rest is looked at. */
export class ScanPool implements Disposable {
  /** Scans that run at a time, at most. */
  readonly jobs: number;
  readonly #disk: Disk;
  /** None: scans run on the caller's thread. */
  readonly #threads: readonly ScanThread[];

  /** For tasks of `bytes` in all; at most `jobs` run at a time. */
  constructor(disk: Disk, bytes: number, jobs: number) {
    this.jobs = jobs;
    this.#disk = disk;
    const usesThreads = disk === realDisk && bytes >= THREAD_BYTES_MIN;
    this.#threads = Array.from({ length: usesThreads ? jobs : 0 }, () => new ScanThread());
  }

  /** 0: scans run on the caller's thread, one after another. */
  get threadCount(): number {
    return this.#threads.length;
  }

  /** Results in the order of the tasks. */
  async scan(tasks: readonly ScanTask[], tools: PoolTools): Promise<ScanResult[]> {
    return this.#threads.length > 0
      ? await scanInThreads(this.#threads, tasks, tools)
      : await scanHere(this.#disk, tasks, tools);
  }

  /** Lets the threads end. */
  [Symbol.dispose](): void {
    for (const thread of this.#threads) thread.end();
  }
}

async function scanHere(
  disk: Disk,
  tasks: readonly ScanTask[],
  tools: PoolTools,
): Promise<ScanResult[]> {
  const done = tasks.map(() => 0);
  const results: ScanResult[] = [];
  for (const [index, task] of tasks.entries()) {
    const result = await scanShard(task, {
      disk,
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
  threads: readonly ScanThread[],
  tasks: readonly ScanTask[],
  tools: PoolTools,
): Promise<ScanResult[]> {
  const cells = tasks.map(() => new Uint32Array(new SharedArrayBuffer(SHARED_CELLS_BYTES)));
  const onStop = () => cells.forEach((cell) => Atomics.store(cell, CELL_STOP, 1));
  if (tools.stop.aborted) onStop();
  tools.stop.addEventListener("abort", onStop);
  const results: ScanResult[] = [];
  let next = 0;
  const work = async (thread: ScanThread) => {
    for (let index = next++; index < tasks.length; index = next++) {
      results[index] = await thread.scan(tasks[index] as ScanTask, cells[index] as Uint32Array);
    }
  };
  let timer = tools.clock.after(PROGRESS_INTERVAL_MS, show);
  function show(): void {
    tools.progress(cells.map((cell) => Atomics.load(cell, CELL_SLOTS_DONE)));
    timer = tools.clock.after(PROGRESS_INTERVAL_MS, show);
  }
  try {
    await Promise.all(threads.map(work));
  } finally {
    timer.cancel();
    // A scan that failed ends the others; their threads must not outlive the command.
    onStop();
    tools.stop.removeEventListener("abort", onStop);
  }
  return results;
}

/** A thread for scans. To start one takes longer than to scan a small shard: it is kept for the next. */
class ScanThread {
  readonly #thread = startThread("audit/scan-thread", null);
  /** The scan that an answer is due for. */
  #due: (PromiseWithResolvers<ScanResult> & { readonly shard: number }) | null = null;
  /** What ended the thread before its time. */
  #over: { readonly error: unknown } | null = null;

  constructor() {
    const thread = this.#thread;
    const fail = (error: unknown) => {
      this.#over ??= { error };
      this.#due?.reject(error);
    };
    thread.on("message", (answer: ScanThreadAnswer) => {
      if (answer.kind === "done") this.#due?.resolve(answer.result);
      else this.#due?.reject(fromPlainError(answer.error));
      this.#due = null;
    });
    thread.on("error", fail);
    thread.on("messageerror", fail);
    // Without a reason told: it died silently. After end() nobody waits any more.
    thread.on("exit", () => {
      const where = this.#due === null ? "" : ` for shard ${this.#due.shard}`;
      fail(new Error(`A thread that scans ended without an answer${where}`));
    });
  }

  /** One at a time. Rejects with what ended the thread, when something did. */
  scan(task: ScanTask, cells: Uint32Array): Promise<ScanResult> {
    if (this.#over !== null) return Promise.reject(this.#over.error);
    const due = { shard: task.shard, ...Promise.withResolvers<ScanResult>() };
    this.#due = due;
    const shared = cells.buffer as SharedArrayBuffer;
    this.#thread.postMessage({ kind: "scan", task, cells: shared } satisfies ScanThreadRequest);
    return due.promise;
  }

  end(): void {
    this.#thread.postMessage({ kind: "end" } satisfies ScanThreadRequest);
  }
}
