// A running `armdb replicate --json`, as a test sees it: its lines as they come, the state of each shard, its end. Used by the
// tests that follow real leaders. Promises: waits end with a line, with the program's end, or with an error that tells what
// was said so far; disposing kills what still runs.

import { readFile } from "node:fs/promises";
import { programEnv, programWords } from "./program.ts";

/** One line of NDJSON. */
export type Line = Readonly<Record<string, unknown>>;

export interface FollowerOptions {
  /** `host:port`. */
  readonly leader: string;
  readonly dir: string;
  /** More options of `replicate`. */
  readonly args?: readonly string[];
  /** Words before the program's own, as `strace -D ...`. What they start must end up as the spawned process. */
  readonly under?: readonly string[];
}

const WAIT_MS = 30_000;
const LOG_KEPT_CHARS = 64 * 1024;
/** Clock ticks of /proc/PID/stat a second. */
export const TICKS_PER_SECOND = 100;

interface Waiter {
  look(): void;
}

export class FollowerProcess implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #readers: Promise<unknown>;
  readonly #waiters = new Set<Waiter>();
  readonly lines: Line[] = [];
  readonly #states = new Map<number, string>();
  #log = "";
  #over = false;

  constructor(options: FollowerOptions) {
    const words = ["replicate", options.leader, "--data", options.dir, "--json", "--verbose"];
    const command = [...(options.under ?? []), ...programWords(), ...words];
    this.#child = Bun.spawn([...command, ...(options.args ?? [])], {
      env: programEnv(),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#readers = Promise.all([
      readLines(this.#child.stdout, (line) => this.#take(JSON.parse(line) as Line)),
      readLines(this.#child.stderr, (line) => {
        this.#log = `${this.#log}${line}\n`.slice(-LOG_KEPT_CHARS);
        this.#wake();
      }),
    ]);
    void this.#readers.finally(() => {
      this.#over = true;
      this.#wake();
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The last of what it said to people. */
  get log(): string {
    return this.#log;
  }

  /** How many lines there are now: a place to wait from. */
  get mark(): number {
    return this.lines.length;
  }

  /** The state of a shard as last reported, or null. */
  state(shard: number): string | null {
    return this.#states.get(shard) ?? null;
  }

  /** Every state that the shard was in since `mark`, in order. */
  statesOf(shard: number, mark = 0): string[] {
    const lines = this.lines.slice(mark);
    return lines
      .filter((line) => line["type"] === "shard" && line["shard"] === shard)
      .map((line) => String(line["state"]));
  }

  /** The first line since `mark` that fits. */
  line(what: string, fits: (line: Line) => boolean, mark = 0, limitMs = WAIT_MS): Promise<Line> {
    let next = mark;
    return this.#until(what, limitMs, () => {
      while (next < this.lines.length) {
        const line = this.lines[next++] as Line;
        if (fits(line)) return line;
      }
      return null;
    });
  }

  /** Every shard has caught up and is durable. */
  async ready(limitMs = WAIT_MS): Promise<void> {
    await this.line("ready", (line) => line["type"] === "ready", 0, limitMs);
  }

  /** Waits until `shards` shards are in this state, all at a time. */
  async inState(state: string, shards: number, limitMs = WAIT_MS): Promise<void> {
    await this.#until(`${shards} shards ${state}`, limitMs, () => {
      const there = [...this.#states.values()].filter((now) => now === state).length;
      return there === shards ? true : null;
    });
  }

  /** Waits until the log holds a text. */
  async said(text: string, limitMs = WAIT_MS): Promise<void> {
    await this.#until(`"${text}" in the log`, limitMs, () => (this.#log.includes(text) ? true : null));
  }

  /** Lines of one type since `mark`. */
  linesOf(type: string, mark = 0): Line[] {
    return this.lines.slice(mark).filter((line) => line["type"] === type);
  }

  /** Processor time used so far, user and system, of all its threads, in ticks. */
  async ticks(): Promise<number> {
    return processTicks(this.pid);
  }

  /** Stops it in good order; the exit status. */
  async stop(limitMs = WAIT_MS): Promise<number> {
    this.#child.kill("SIGTERM");
    return this.ended(limitMs);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** kill -9, and gone when it returns. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    await this.#readers;
  }

  /** Waits for its end; the exit status, all its lines being there. */
  async ended(limitMs = WAIT_MS): Promise<number> {
    await this.#until("the end", limitMs, () => (this.#over ? true : null), true);
    return this.#child.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #take(line: Line): void {
    this.lines.push(line);
    if (line["type"] === "shard") this.#states.set(Number(line["shard"]), String(line["state"]));
    this.#wake();
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter.look();
  }

  #until<T>(what: string, limitMs: number, find: () => T | null, endIsFine = false): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (run: () => void) => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        run();
      };
      const fail = (why: string) => {
        const said = this.lines.slice(-15).map((line) => JSON.stringify(line));
        const text = `armdb replicate ${why} instead of ${what}; it said\n${said.join("\n")}`;
        settle(() => reject(new Error(`${text}\n${this.#log.slice(-3000)}`)));
      };
      const timer = setTimeout(() => fail(`took ${limitMs} ms`), limitMs);
      const waiter: Waiter = {
        look: () => {
          const found = find();
          if (found !== null) settle(() => resolve(found));
          else if (this.#over && !endIsFine) fail(`ended with ${this.#child.exitCode}`);
        },
      };
      this.#waiters.add(waiter);
      waiter.look();
    });
  }
}

async function readLines(
  stream: ReadableStream<Uint8Array>,
  take: (line: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") take(line);
  }
}

/** utime + stime of a process, in ticks. */
export async function processTicks(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The second field is the name in brackets and may hold anything; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
