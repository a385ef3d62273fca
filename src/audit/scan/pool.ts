// Scans several shards in threads, each thread one shard after another; one that has none left helps the others with theirs
// (scan/blocks.ts). Measured with two workers: 28 % less time for one shard of 8x64, 5 to 7 % for two of 32x1000. Used by verify
// and verify-cursor. Small databases, and any disk but the real one (tests), are scanned on the caller's thread.

import { assert, fromPlainError } from "../../errors.ts";
import type { Clock } from "../../io/clock.ts";
import type { Disk } from "../../io/disk.ts";
import { realDisk } from "../../io/real-disk.ts";
import { startThread } from "../../io/threads.ts";
import { pause } from "./pacing.ts";
import { scanShard } from "./shard.ts";
import { BlockClaims, buffersOf, type HelpedBlock } from "./blocks.ts";
import type { Help } from "./help.ts";
import {
  CELL_SLOTS_DONE,
  CELL_STOP,
  type ScanResult,
  type ScanTask,
  type ScanThreadAnswer,
  type ScanThreadRequest,
  SHARED_CELLS_BYTES,
} from "./data.ts";

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
/** A thread is started to help only where it has so much to do, and a shard is helped that has so many blocks left. */
const HELPER_BYTES_MIN = 256 * 1024 * 1024;
const HELPED_BLOCKS_MIN = 2;
/** How long a helper waits for a scan that has not got its blocks yet at a time. */
const BEHIND_PAUSE_MS = 10;

/** Threads for `shards` shards of `bytes` in all, of `most`: one a shard, and where there is much to do more that help. */
export function threadsFor(shards: number, bytes: number, most: number): number {
  return Math.min(most, Math.max(shards, Math.floor(bytes / HELPER_BYTES_MIN)));
}

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

/** A scan under way. */
interface Running {
  readonly task: ScanTask;
  readonly thread: ScanThread;
  readonly cells: Uint32Array;
  readonly claims: BlockClaims;
  mayBeHelped: boolean;
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
  const running = new Set<Running>();
  let next = 0;
  const work = async (thread: ScanThread) => {
    for (let index = next++; index < tasks.length; index = next++) {
      const scan = runningOf(tasks[index] as ScanTask, thread, cells[index] as Uint32Array);
      running.add(scan);
      results[index] = await thread.scan(scan.task, scan.cells);
      running.delete(scan);
    }
    for (let scan = mostLeft(running); scan !== null; scan = mostLeft(running)) {
      if (scan.claims.isBehind) {
        await pause(tools.clock, BEHIND_PAUSE_MS);
        continue;
      }
      const help = await thread.help(scan.task, scan.cells);
      scan.thread.take(help.blocks);
      if (help.isOver) scan.mayBeHelped = false;
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

function runningOf(task: ScanTask, thread: ScanThread, cells: Uint32Array): Running {
  // A rate is kept by one thread.
  const mayBeHelped = task.bytesPerSecond === null;
  return { task, thread, cells, claims: new BlockClaims(task, cells), mayBeHelped };
}

/** The scan that has most blocks left for a helper; null when none has enough. */
function mostLeft(running: ReadonlySet<Running>): Running | null {
  let most: Running | null = null;
  for (const scan of running) {
    const isStopped = Atomics.load(scan.cells, CELL_STOP) !== 0;
    if (isStopped || !scan.mayBeHelped || scan.claims.left < HELPED_BLOCKS_MIN) continue;
    if (most === null || isBefore(scan, most)) most = scan;
  }
  return most;
}

/** True when `scan` is the better one to help: it takes blocks, or more are left. */
function isBefore({ claims }: Running, other: Running): boolean {
  return claims.isBehind === other.claims.isBehind
    ? claims.left > other.claims.left
    : !claims.isBehind;
}

/** A thread for scans. To start one takes longer than to scan a small shard: it is kept for the next. */
class ScanThread {
  readonly #thread = startThread("audit/scan/scan-thread", null);
  /** What an answer is due for. */
  #due: (PromiseWithResolvers<ScanThreadAnswer> & { readonly shard: number }) | null = null;
  /** What ended the thread before its time. */
  #over: { readonly error: unknown } | null = null;

  constructor() {
    const thread = this.#thread;
    const fail = (error: unknown) => {
      this.#over ??= { error };
      this.#due?.reject(error);
    };
    thread.on("message", (answer: ScanThreadAnswer) => {
      this.#due?.resolve(answer);
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

  /** One scan or help at a time. Rejects with what ended the thread, when something did. */
  async scan(task: ScanTask, cells: Uint32Array): Promise<ScanResult> {
    const answer = await this.#ask("scan", task, cells);
    assert(answer.kind === "done", "a thread answers a scan with its result");
    return answer.result;
  }

  /** Scans blocks of a shard that another thread scans. As `scan`. */
  async help(task: ScanTask, cells: Uint32Array): Promise<Help> {
    const answer = await this.#ask("help", task, cells);
    assert(answer.kind === "helped", "a thread that helps answers with its blocks");
    return answer.help;
  }

  /** Hands over blocks of the scan that it is at. */
  take(blocks: readonly HelpedBlock[]): void {
    const request = { kind: "take", blocks } satisfies ScanThreadRequest;
    this.#thread.postMessage(request, buffersOf(blocks));
  }

  async #ask(kind: "scan" | "help", task: ScanTask, cells: Uint32Array): Promise<ScanThreadAnswer> {
    if (this.#over !== null) throw this.#over.error;
    const due = { shard: task.shard, ...Promise.withResolvers<ScanThreadAnswer>() };
    this.#due = due;
    const shared = cells.buffer as SharedArrayBuffer;
    this.#thread.postMessage({ kind, task, cells: shared } satisfies ScanThreadRequest);
    const answer = await due.promise;
    if (answer.kind === "failed") throw fromPlainError(answer.error);
    return answer;
  }

  end(): void {
    this.#thread.postMessage({ kind: "end" } satisfies ScanThreadRequest);
  }
}
