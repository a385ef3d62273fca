// A program that goes on, in a process group of its own, so that all of a pipeline hears a signal, as from a terminal, and
// nothing of it outlives it.

const LIMIT_MS = 60_000;

export interface Ran {
  readonly status: number | null;
  /** stdout and stderr as they came. */
  readonly output: string;
}

export class Kept {
  output = "";
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #read: Promise<unknown>;

  constructor(words: readonly string[], cwd: string, env: Readonly<Record<string, string>>) {
    const streams = { stdin: "ignore", stdout: "pipe", stderr: "pipe" } as const;
    this.child = Bun.spawn([...words], { cwd, env, ...streams, detached: true });
    this.#read = Promise.all([this.#collect(this.child.stdout), this.#collect(this.child.stderr)]);
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.output += decoder.decode(chunk, { stream: true });
  }

  get isOver(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async until(text: string): Promise<void> {
    const deadline = performance.now() + LIMIT_MS;
    while (!this.output.includes(text)) {
      if (this.isOver || performance.now() > deadline)
        throw new Error(`it never said "${text}":\n${this.output}`);
      await Bun.sleep(10);
    }
  }

  /** Signals the whole group. */
  kill(signal: NodeJS.Signals): void {
    if (!this.isOver) signalGroup(this.child.pid, signal);
  }

  /** Signals the program itself, as a service manager does first. */
  killMain(signal: NodeJS.Signals): void {
    if (!this.isOver) this.child.kill(signal);
  }

  async stop(signal: NodeJS.Signals): Promise<Ran> {
    this.kill(signal);
    return await this.ended();
  }

  /** Waits for its end. What it has left of its group is ended too: it would hold the output open for ever. */
  async ended(): Promise<Ran> {
    await this.child.exited;
    signalGroup(this.child.pid, "SIGKILL");
    await this.#read;
    return { status: this.child.exitCode, output: this.output };
  }

  /** Waits for its end, and ends it as a last resort. */
  async endedWithin(limitMs: number): Promise<Ran> {
    const timer = setTimeout(() => this.kill("SIGKILL"), limitMs);
    const ran = await this.ended();
    clearTimeout(timer);
    return ran;
  }
}

/** A group that is over already is no fault. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ESRCH") throw thrown;
  }
}
