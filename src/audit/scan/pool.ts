// Scans several shards in threads, each thread one shard after another; one that has none left helps the others with theirs
// (scan/claims.ts). Measured with two workers: 28 % less time for one shard of 8x64, 5 to 7 % for two of 32x1000. Used by verify
// and verify-cursor. Small databases, and any disk but the real one (tests), are scanned on the caller's thread.

import { assert, fromPlainError } from "../../errors.ts";
import type { Clock } from "../../io/clock.ts";
import type { Disk } from "../../io/disk.ts";
import { realDisk } from "../../io/real-disk.ts";
import { startThread } from "../../io/threads.ts";
import { DUPLICATE_SEARCH_BYTES_MAX } from "../../limits.ts";
import { BlockClaims, readableSlots } from "./claims.ts";
import type {
  Help,
  HelpedBlock,
  ScanRequest,
  ScanResult,
  ScanTask,
  ScanThreadAnswer,
  ScanThreadRequest,
  SharedRun,
} from "./data.ts";
import { buffersOf } from "./help.ts";
import { ScanRun, type ShardProgress, ShardState } from "./run.ts";
import { scanShard } from "./shard.ts";

export interface PoolTools {
  readonly clock: Clock;
  /** Ends the scans early; what they found is kept. */
  readonly stop: AbortSignal;
  /** Null: as fast as it goes. */
  readonly bytesPerSecond: number | null;
  /** One a task in their order. */
  progress(shards: readonly ShardProgress[]): void;
}

/** What the scans of a command came to. */
export interface PoolResult {
  /** In the order of the tasks. */
  readonly results: readonly ScanResult[];
  /** All that was read for them, some of it more than once. */
  readonly bytesRead: number;
}

/** Less than this is scanned before a thread has started. */
const THREAD_BYTES_MIN = 8 * 1024 * 1024;
const PROGRESS_INTERVAL_MS = 100;
/** A thread is started to help only where it has so much to do, and a shard is helped that has so many blocks left. */
const HELPER_BYTES_MIN = 256 * 1024 * 1024;
const HELPED_BLOCKS_MIN = 2;
/** How long a thread that has nothing to do at the moment waits before it looks again. */
const IDLE_PAUSE_MS = 10;
/** Memory of the search for doubled keys: a pair, and a little that is left free in blocks; and what the least shard has. */
const SEARCH_BYTES_PER_SLOT = 9;
const SEARCH_BYTES_MIN = 64 * 1024;

/** Threads for `shards` shards of `bytes` in all, of `most`: one a shard, and where there is much to do more that help. */
export function threadsFor(shards: number, bytes: number, most: number): number {
  return Math.min(most, Math.max(shards, Math.floor(bytes / HELPER_BYTES_MIN)));
}

/** Opened as soon as it is known how much there is to scan: its threads start while the rest is looked at. */
export class ScanPool implements Disposable {
  readonly #disk: Disk;
  /** None: scans run on the caller's thread. */
  readonly #threads: readonly ScanThread[];

  /** For tasks of `bytes` in all; at most `jobs` run at a time. */
  constructor(disk: Disk, bytes: number, jobs: number) {
    this.#disk = disk;
    const usesThreads = disk === realDisk && bytes >= THREAD_BYTES_MIN;
    this.#threads = Array.from({ length: usesThreads ? jobs : 0 }, () => new ScanThread());
  }

  /** 0: scans run on the caller's thread, one after another. */
  get threadCount(): number {
    return this.#threads.length;
  }

  async scan(tasks: readonly ScanTask[], tools: PoolTools): Promise<PoolResult> {
    const run = new ScanRun(tools.clock, tools.bytesPerSecond);
    const scans = tasks.map((task) => {
      const searchBytes = searchBytesOf(task);
      return { task: { ...task, duplicateBytesMax: searchBytes }, searchBytes };
    });
    const onStop = () => run.end();
    if (tools.stop.aborted) onStop();
    tools.stop.addEventListener("abort", onStop);
    try {
      const results =
        this.#threads.length > 0
          ? await new ThreadedScans(run, scans, tools).results(this.#threads)
          : await scanHere(this.#disk, run, scans, tools);
      return { results, bytesRead: run.throttle.bytesRead };
    } finally {
      // A scan that failed ends the others; their threads must not outlive the command.
      onStop();
      tools.stop.removeEventListener("abort", onStop);
    }
  }

  /** Lets the threads end. */
  [Symbol.dispose](): void {
    for (const thread of this.#threads) thread.end();
  }
}

/** A scan with what the search for doubled keys may take of the command's memory. */
interface PlannedScan {
  readonly task: ScanTask;
  readonly searchBytes: number;
}

function searchBytesOf(task: ScanTask): number {
  if (task.duplicateBytesMax === 0) return 0;
  const wanted = SEARCH_BYTES_MIN + SEARCH_BYTES_PER_SLOT * readableSlots(task);
  return Math.min(task.duplicateBytesMax, DUPLICATE_SEARCH_BYTES_MAX, wanted);
}

async function scanHere(
  disk: Disk,
  run: ScanRun,
  scans: readonly PlannedScan[],
  { progress }: PoolTools,
): Promise<ScanResult[]> {
  const states: ShardState[] = [];
  const show = () => progress(states.map((state) => state.progress()));
  for (const { task } of scans) states.push(ShardState.create(task, show));
  const results: ScanResult[] = [];
  for (const [index, { task }] of scans.entries()) {
    const state = states[index] as ShardState;
    const tools = { disk, task: run.taskOf(state), state, budget: run.budgetOf(state) };
    results.push(await scanShard(task, tools));
  }
  return results;
}

/** A scan under way. */
interface Running {
  readonly task: ScanTask;
  readonly thread: ScanThread;
  readonly state: ShardState;
  readonly claims: BlockClaims;
  mayBeHelped: boolean;
}

/** Scans in threads: each takes one shard after another, as far as the memory for doubled keys reaches, or helps. */
class ThreadedScans {
  readonly #run: ScanRun;
  readonly #scans: readonly PlannedScan[];
  readonly #tools: PoolTools;
  readonly #states: readonly ShardState[];
  readonly #running = new Set<Running>();
  readonly #results: ScanResult[] = [];
  #next = 0;
  #searchBytesLeft = DUPLICATE_SEARCH_BYTES_MAX;

  constructor(run: ScanRun, scans: readonly PlannedScan[], tools: PoolTools) {
    this.#run = run;
    this.#scans = scans;
    this.#tools = tools;
    this.#states = scans.map(({ task }) => ShardState.create(task));
  }

  async results(threads: readonly ScanThread[]): Promise<ScanResult[]> {
    const { clock, progress } = this.#tools;
    const show = () => {
      progress(this.#states.map((state) => state.progress()));
      timer = clock.after(PROGRESS_INTERVAL_MS, show);
    };
    let timer = clock.after(PROGRESS_INTERVAL_MS, show);
    try {
      await Promise.all(threads.map((thread) => this.#work(thread)));
    } finally {
      timer.cancel();
    }
    return this.#results;
  }

  async #work(thread: ScanThread): Promise<void> {
    for (;;) {
      const index = this.#startable();
      if (index !== null) {
        await this.#scan(thread, index);
        continue;
      }
      const scan = mostLeft(this.#running, this.#run.stop.isSet);
      if (scan !== null && !scan.claims.isBehind) await this.#help(thread, scan);
      else if (this.#next < this.#scans.length || scan !== null || this.#isUndecided())
        await new Promise<void>((wake) => void this.#tools.clock.after(IDLE_PAUSE_MS, wake));
      else return;
    }
  }

  /** The next scan where the memory for it is left; one runs always. */
  #startable(): number | null {
    const next = this.#scans[this.#next];
    if (next === undefined) return null;
    if (this.#running.size > 0 && next.searchBytes > this.#searchBytesLeft) return null;
    return this.#next++;
  }

  /** True while a scan may still come to need help: it looks at its sidecar first. */
  #isUndecided(): boolean {
    if (this.#run.stop.isSet) return false;
    return [...this.#running].some(
      ({ state, claims }) => state.comparesSidecar === null && claims.left >= HELPED_BLOCKS_MIN,
    );
  }

  async #scan(thread: ScanThread, index: number): Promise<void> {
    const { task, searchBytes } = this.#scans[index] as PlannedScan;
    const state = this.#states[index] as ShardState;
    const claims = new BlockClaims(task, state.cells);
    const scan = { task, thread, state, claims, mayBeHelped: true };
    this.#running.add(scan);
    this.#searchBytesLeft -= searchBytes;
    this.#results[index] = await thread.scan(task, this.#run.shared, state.buffer);
    this.#searchBytesLeft += searchBytes;
    this.#running.delete(scan);
  }

  async #help(thread: ScanThread, scan: Running): Promise<void> {
    const help = await thread.help(scan.task, this.#run.shared, scan.state.buffer);
    scan.thread.take(help.blocks);
    if (help.isOver) scan.mayBeHelped = false;
  }
}

/** The scan that has most blocks left for a helper; null when none has enough. */
function mostLeft(running: ReadonlySet<Running>, isStopped: boolean): Running | null {
  let most: Running | null = null;
  for (const scan of running) {
    const isReady = scan.mayBeHelped && scan.state.comparesSidecar !== null;
    if (isStopped || !isReady || scan.claims.left < HELPED_BLOCKS_MIN) continue;
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
  async scan(task: ScanTask, run: SharedRun, cells: SharedArrayBuffer): Promise<ScanResult> {
    const answer = await this.#ask({ kind: "scan", task, run, cells });
    assert(answer.kind === "done", "a thread answers a scan with its result");
    return answer.result;
  }

  /** Scans blocks of a shard that another thread scans. As `scan`. */
  async help(task: ScanTask, run: SharedRun, cells: SharedArrayBuffer): Promise<Help> {
    const answer = await this.#ask({ kind: "help", task, run, cells });
    assert(answer.kind === "helped", "a thread that helps answers with its blocks");
    return answer.help;
  }

  /** Hands over blocks of the scan that it is at. */
  take(blocks: readonly HelpedBlock[]): void {
    const request = { kind: "take", blocks } satisfies ScanThreadRequest;
    this.#thread.postMessage(request, buffersOf(blocks));
  }

  async #ask(request: ScanRequest): Promise<ScanThreadAnswer> {
    if (this.#over !== null) throw this.#over.error;
    const due = { shard: request.task.shard, ...Promise.withResolvers<ScanThreadAnswer>() };
    this.#due = due;
    this.#thread.postMessage(request);
    const answer = await due.promise;
    if (answer.kind === "failed") throw fromPlainError(answer.error);
    return answer;
  }

  end(): void {
    this.#thread.postMessage({ kind: "end" } satisfies ScanThreadRequest);
  }
}
