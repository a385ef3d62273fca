// One running oracle program: lines out, one JSON line back for each.

export type Answer = Readonly<Record<string, unknown>>;

interface Waiter {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

const MAX_WAITERS = 64;
const MAX_EARLY_ANSWERS = 4;
const MAX_LINE = 256 * 1024;
const STDERR_TAIL = 8 * 1024;

export class OracleProcess implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #what: string;
  readonly #waiters: Waiter[] = [];
  /** Lines that came before anyone asked: the greeting, or the error of a start. */
  readonly #early: string[] = [];
  readonly #readers: Promise<unknown>;
  #stderr = "";
  #failure: Error | undefined;

  constructor(command: string[]) {
    this.#what = command.join(" ");
    this.#child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    this.#readers = Promise.all([this.#readAnswers(), this.#readStderr()]);
    void this.#readers
      .then(() => this.#child.exited)
      .then((code) => this.#fail(`ended with code ${code ?? "none"} instead of an answer`))
      .catch((error: unknown) => this.#fail(String(error)));
  }

  get pid(): number {
    return this.#child.pid;
  }

  get stderrTail(): string {
    return this.#stderr;
  }

  /** Sends a line that has no answer. */
  tell(line: string): void {
    const gone = (error: unknown) => this.#fail(`takes no more input: ${String(error)}`);
    try {
      this.#child.stdin.write(`${line}\n`);
      void Promise.resolve(this.#child.stdin.flush()).catch(gone);
    } catch (error) {
      gone(error);
    }
  }

  ask(line: string, deadlineMs: number): Promise<Answer> {
    const answer = this.answer(deadlineMs);
    if (this.#failure === undefined) this.tell(line);
    return answer;
  }

  /** The next line of stdout. Answers come in the order of the questions. */
  answer(deadlineMs: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const early = this.#early.shift();
      if (early !== undefined) return this.#settle(early, resolve, reject);
      if (this.#failure !== undefined) return reject(this.#failure);
      if (this.#waiters.length >= MAX_WAITERS) {
        return reject(this.#error("has too many unanswered questions"));
      }
      // Once an answer is late, all later ones would go to the wrong questions.
      const late = () => {
        this.#fail(`did not answer within ${deadlineMs} ms`);
        this.#child.kill("SIGKILL");
      };
      this.#waiters.push({ resolve, reject, timer: setTimeout(late, deadlineMs) });
    });
  }

  /** Waits for the program's own end, which has to be a good one. */
  async ended(deadlineMs: number): Promise<void> {
    const code = await this.#exitCode(deadlineMs);
    if (code !== 0) throw this.#error(`exited with code ${code}`);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    await this.#readers.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #exitCode(deadlineMs: number): Promise<number> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#child.kill("SIGKILL");
        reject(this.#error(`did not end within ${deadlineMs} ms`));
      }, deadlineMs);
    });
    try {
      const code = await Promise.race([this.#child.exited, late]);
      await this.#readers;
      return code;
    } finally {
      clearTimeout(timer);
    }
  }

  async #readAnswers(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of this.#child.stdout) {
      rest += decoder.decode(chunk, { stream: true });
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line);
      if (rest.length > MAX_LINE) throw this.#error("sent a line without an end");
    }
  }

  async #readStderr(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stderr) {
      const all = this.#stderr + decoder.decode(chunk, { stream: true });
      this.#stderr = all.slice(-STDERR_TAIL);
    }
  }

  #take(line: string): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      if (this.#early.length >= MAX_EARLY_ANSWERS) throw this.#error("answers without questions");
      this.#early.push(line);
      return;
    }
    clearTimeout(waiter.timer);
    this.#settle(line, waiter.resolve, waiter.reject);
  }

  #settle(line: string, resolve: Waiter["resolve"], reject: Waiter["reject"]): void {
    let answer: Answer;
    try {
      answer = JSON.parse(line) as Answer;
    } catch {
      return reject(this.#error(`answered what is no JSON: ${line.slice(0, 200)}`));
    }
    if ("error" in answer) return reject(this.#error(`says: ${text(answer, "error")}`));
    resolve(answer);
  }

  #fail(why: string): void {
    this.#failure ??= this.#error(why);
    for (const waiter of this.#waiters.splice(0)) {
      clearTimeout(waiter.timer);
      waiter.reject(this.#failure);
    }
  }

  #error(why: string): Error {
    const tail = this.#stderr.trim();
    const log = tail === "" ? "" : `\nits stderr ends:\n${tail}`;
    return new Error(`oracle ${why} (${this.#what})${log}`);
  }
}

export function number(answer: Answer, name: string): number {
  const value = answer[name];
  if (typeof value !== "number")
    throw new Error(`no number "${name}" in ${JSON.stringify(answer)}`);
  return value;
}

export function text(answer: Answer, name: string): string {
  const value = answer[name];
  if (typeof value !== "string") throw new Error(`no text "${name}" in ${JSON.stringify(answer)}`);
  return value;
}

export function flag(answer: Answer, name: string): boolean {
  const value = answer[name];
  if (typeof value !== "boolean") throw new Error(`no flag "${name}" in ${JSON.stringify(answer)}`);
  return value;
}
