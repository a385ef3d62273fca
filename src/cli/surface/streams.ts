// stdout and stderr as plain sinks of text. A command that ends by itself waits for its reader, so that all of it is out
// before the process ends; one that runs on never waits (outbox.ts). A reader that went away is an answer, not an
// exception. Used by output.ts, messages.ts and the display.

import { fstatSync } from "node:fs";
import { isatty } from "node:tty";
import type { Clock } from "../../io/clock.ts";
import { openOutlet, type Outlet } from "../../io/outlet.ts";
import { Outbox, type OutboxOptions } from "./outbox.ts";

/** One end of a pipe, a file or a terminal. */
export interface Sink {
  readonly isTerminal: boolean;
  /** Size of the terminal now; 80 x 24 elsewhere. */
  columns(): number;
  rows(): number;
  /** Writes all of it, or takes it. Returns null, or the errno of what stopped it (`EPIPE`, `ENOSPC`). */
  write(text: string): string | null;
  /** From here on no write waits: what there is no room for is kept up to a limit, then dropped and counted. */
  neverWait(options: Pick<OutboxOptions, "notice" | "gone">): void;
  /** What was taken before is not out yet: whatever is only for the moment is better not drawn. */
  readonly isBehind: boolean;
  /** Lines dropped so far. */
  readonly droppedLines: number;
  /** Gives what was taken so long to get out. */
  finish(withinMs: number): Promise<void>;
}

const COLUMNS_DEFAULT = 80;
const COLUMNS_MIN = 20;
const ROWS_DEFAULT = 24;
const WAIT_MS = 1_000;

export interface ProcessSinkOptions {
  readonly clock: Pick<Clock, "after">;
  /** Runs a wait during which nothing else runs: a signal then has to end the process by itself. */
  readonly whileWaiting: (wait: () => void) => void;
}

/** The process's stdout (1) or stderr (2). */
export function processSink(fd: 1 | 2, options: ProcessSinkOptions): Sink {
  return new ProcessSink(fd, openOutlet(fd), options);
}

/** A sink over an outlet; the descriptor is asked for the size of its terminal. */
class ProcessSink implements Sink {
  readonly isTerminal: boolean;
  readonly #fd: 1 | 2;
  readonly #outlet: Outlet;
  readonly #options: ProcessSinkOptions;
  #outbox: Outbox | null = null;

  constructor(fd: 1 | 2, outlet: Outlet, options: ProcessSinkOptions) {
    this.#fd = fd;
    this.#outlet = outlet;
    this.#options = options;
    this.isTerminal = isatty(fd);
  }

  columns(): number {
    return Math.max(COLUMNS_MIN, (this.isTerminal ? this.#stream.columns : 0) || COLUMNS_DEFAULT);
  }

  rows(): number {
    return (this.isTerminal ? this.#stream.rows : 0) || ROWS_DEFAULT;
  }

  get #stream(): NodeJS.WriteStream {
    return this.#fd === 1 ? process.stdout : process.stderr;
  }

  get isBehind(): boolean {
    return this.#outbox?.isBehind ?? false;
  }

  get droppedLines(): number {
    return this.#outbox?.droppedTotal ?? 0;
  }

  write(text: string): string | null {
    if (this.#outbox !== null) return this.#outbox.write(text);
    let rest: Uint8Array = Buffer.from(text, "utf8");
    while (rest.length > 0) {
      const taken = this.#outlet.write(rest);
      if (typeof taken === "string") return taken;
      rest = rest.subarray(taken);
      if (taken === 0) this.#options.whileWaiting(() => this.#outlet.waitForRoom(WAIT_MS));
    }
    return null;
  }

  neverWait(options: Pick<OutboxOptions, "notice" | "gone">): void {
    const { clock } = this.#options;
    this.#outbox ??= new Outbox({ ...options, clock, outlet: this.#outlet });
  }

  async finish(withinMs: number): Promise<void> {
    await this.#outbox?.finish(withinMs);
  }
}

/** True when stderr goes straight to the journal, which then reads `<4>` at the start of a line as a level. */
export function isJournal(env: Readonly<Record<string, string | undefined>>): boolean {
  const place = env["JOURNAL_STREAM"];
  if (place === undefined) return false;
  try {
    const facts = fstatSync(2);
    return place === `${facts.dev}:${facts.ino}`;
  } catch {
    return false;
  }
}
