// armdb as a process under test: its NDJSON lines as they come, waits with a deadline, signals, and an end that is always
// reached. The program is that of program.ts: the executable the gate names, else the source.

import { ArmdbLines, type Line, type LineMatch } from "./armdb-lines.ts";
import { withoutTimes } from "./line-times.ts";
import { programEnv, programWords } from "./program.ts";

export type { Line, LineMatch } from "./armdb-lines.ts";

export interface ArmdbOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Words before the program's own, such as those of setpriv or unshare. */
  readonly launcher?: readonly string[];
  /** The whole run may take this long; it is then killed, and whoever waits gets an error. */
  readonly limitMs?: number;
}

/** A run that is over. */
export interface ArmdbRun {
  /** Null: ended by a signal. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly lines: readonly Line[];
  /** All of stdout, and of stderr without the times of its lines. */
  readonly stdout: string;
  readonly stderr: string;
  /** The error object of stderr, with --json (cli.md: Exit codes). */
  readonly error: Line | null;
}

const LIMIT_MS = 120_000;
/** Long, as a disk that other work keeps busy can hold up an fsync for half a minute. */
const LINE_LIMIT_MS = 60_000;

export class Armdb implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #output = new ArmdbLines();
  readonly #ended: Promise<void>;
  #stderr = "";
  #stdout = "";

  private constructor(words: readonly string[], options: ArmdbOptions) {
    this.#child = Bun.spawn([...(options.launcher ?? []), ...programWords(), ...words], {
      env: programEnv(options.env),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: options.limitMs ?? LIMIT_MS,
      killSignal: "SIGKILL",
    });
    this.#ended = this.#read();
  }

  static start(words: readonly string[], options: ArmdbOptions = {}): Armdb {
    return new Armdb(words, options);
  }

  /** `armdb replicate LEADER --data DIR --json`, and more words. */
  static replicate(
    leader: string,
    dir: string,
    more: readonly string[] = [],
    options: ArmdbOptions = {},
  ): Armdb {
    return new Armdb(["replicate", leader, "--data", dir, "--json", ...more], options);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The lines so far. */
  get lines(): readonly Line[] {
    return this.#output.lines;
  }

  /** How many lines there are: the place to wait from for what comes after. */
  get mark(): number {
    return this.#output.lines.length;
  }

  /** So far, without the times of its lines. */
  get stderr(): string {
    return withoutTimes(this.#stderr);
  }

  /** The first line from `from` on that matches; an error when the program ends or the time is out before. */
  async line(match: LineMatch, from = 0, limitMs = LINE_LIMIT_MS): Promise<Line> {
    try {
      return await this.#output.wait(match, from, limitMs);
    } catch (thrown) {
      const said = this.#output.lines.slice(-12).map((line) => JSON.stringify(line));
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      throw new Error(`${why}; it said\n${said.join("\n")}\n${this.#stderr.slice(-4000)}`);
    }
  }

  /** Every shard has caught up and is durable. */
  async ready(from = 0): Promise<void> {
    await this.line({ type: "ready" }, from);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Waits for its own end. */
  async ended(): Promise<ArmdbRun> {
    await this.#ended;
    const { lines } = this.#output;
    const errors = jsonLines(this.#stderr).filter((line) => line.type === "error");
    return {
      status: this.#child.exitCode,
      signal: this.#child.signalCode as NodeJS.Signals | null,
      lines,
      stdout: this.#stdout,
      stderr: this.stderr,
      error: errors.at(-1) ?? null,
    };
  }

  /** Stops it as an operator would, and waits. */
  async stop(signal: "SIGTERM" | "SIGINT" = "SIGTERM"): Promise<ArmdbRun> {
    this.#child.kill(signal);
    return await this.ended();
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #read(): Promise<void> {
    const stderr = new TextDecoder();
    const readStderr = async () => {
      for await (const chunk of this.#child.stderr) {
        this.#stderr += stderr.decode(chunk, { stream: true });
      }
    };
    const stdout = new TextDecoder();
    const readStdout = async () => {
      for await (const chunk of this.#child.stdout) {
        const text = stdout.decode(chunk, { stream: true });
        this.#stdout += text;
        this.#output.push(text);
      }
    };
    await Promise.all([readStdout(), readStderr(), this.#child.exited]);
    this.#output.end(`armdb ended (${this.#child.exitCode ?? this.#child.signalCode})`);
  }
}

/** Runs armdb to its end. */
export async function runArmdb(
  words: readonly string[],
  options: ArmdbOptions = {},
): Promise<ArmdbRun> {
  return await Armdb.start(words, options).ended();
}

/** `armdb replicate LEADER --data DIR --once --json` to its end. */
export async function replicateOnce(
  leader: string,
  dir: string,
  more: readonly string[] = [],
  options: ArmdbOptions = {},
): Promise<ArmdbRun> {
  return await Armdb.replicate(leader, dir, ["--once", ...more], options).ended();
}

function jsonLines(text: string): Line[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Line);
}
