// A Context for running a command in a test: real disk, net and clock, and everything it says kept.

import type { Context } from "../../src/cli/command.ts";
import type { Messages, Output, Palette } from "../../src/cli/surface/surface.ts";
import type { ParsedArguments } from "../../src/cli/words/settled.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { realNet } from "../../src/io/sockets.ts";
import { realClock, realRandom } from "../../src/io/time.ts";
import { plainMessages, plainOutput } from "../support/plain-output.ts";

const same = (text: string) => text;
const plain: Palette = { bold: same, dim: same, red: same, green: same, yellow: same, cyan: same };

/** What a command said, and the means to stop it. */
export class CommandRun {
  readonly documents: Record<string, unknown>[] = [];
  readonly said: string[] = [];
  readonly #stop = new AbortController();
  readonly #waiters = new Set<() => void>();
  readonly context: Context;

  constructor(
    positionals: Readonly<Record<string, string>>,
    options: Readonly<Record<string, string | boolean>>,
    json = true,
  ) {
    this.context = {
      args: argumentsOf(positionals, options),
      out: this.#output(),
      messages: this.#messages(),
      disk: realDisk,
      net: realNet,
      clock: realClock,
      random: realRandom,
      stop: this.#stop.signal,
      env: {},
      json,
      droppedLines: () => 0,
    };
  }

  stop(signal: "SIGINT" | "SIGTERM" = "SIGTERM"): void {
    this.#stop.abort(signal);
  }

  /** The first document that fits, now or later. */
  async document(
    fits: (document: Record<string, unknown>) => boolean,
  ): Promise<Record<string, unknown>> {
    for (;;) {
      const found = this.documents.find(fits);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  /** Resolves once a line for people contains this. */
  async heard(text: string): Promise<void> {
    while (!this.said.some((line) => line.includes(text))) {
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
    this.#waiters.clear();
  }

  #output(): Output {
    return {
      isTerminal: false,
      columns: 80,
      palette: plain,
      closed: false,
      ...plainOutput,
      line: (text) => void this.said.push(text),
      json: (document) => {
        this.documents.push(document as Record<string, unknown>);
        this.#wake();
      },
    };
  }

  #messages(): Messages {
    const say = (level: string) => (text: string) => {
      this.said.push(`${level}: ${text}`);
      this.#wake();
    };
    return {
      ...plainMessages,
      columns: 80,
      palette: plain,
      debug: say("debug"),
      info: say("info"),
      warn: say("warn"),
      error: say("error"),
      confirm: null,
    };
  }
}

function argumentsOf(
  positionals: Readonly<Record<string, string>>,
  options: Readonly<Record<string, string | boolean>>,
): ParsedArguments {
  const textOf = (name: string) => {
    const value = options[name];
    return typeof value === "string" ? value : null;
  };
  return {
    has: (name) => name in options,
    isOff: () => false,
    argument: (name) => positionals[name] ?? null,
    isGiven: (name) => options[name] !== undefined,
    flag: (name) => options[name] === true,
    text: textOf,
    texts: (name) => [textOf(name)].filter((text) => text !== null),
    integer: () => null,
    bytes: () => null,
    durationMs: () => null,
    range: () => null,
  };
}
