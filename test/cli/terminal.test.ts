// Lines that are redrawn in place, by the program on a pseudo-terminal: another size, keys, being stopped and going on.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fixtureDirectory } from "../serve/fixtures.ts";
import { need } from "../support/needs.ts";
import { TerminalProgram } from "../support/program.ts";
import { Screen } from "../support/screen.ts";
import { TempRoot } from "../support/temp.ts";

const LIMIT_MS = 60_000;
const ROWS = 30;

let root: TempRoot;
let dir: string;
beforeAll(async () => {
  root = new TempRoot("terminal");
  dir = await root.copyOf(fixtureDirectory("8x16-2-shards", "follower-clean"));
});
afterAll(() => root[Symbol.dispose]());

/** `status --watch`, and the screen as a person sees it. */
class Watched {
  readonly program: TerminalProgram;
  columns = 80;

  constructor() {
    const options = { rows: ROWS, timeoutMs: LIMIT_MS, env: { LC_ALL: "C.UTF-8" } };
    this.program = new TerminalProgram(["status", dir, "--watch"], options);
  }

  get #last(): string {
    return this.program.text.slice(this.program.text.lastIndexOf("\x1b[?25l"));
  }

  get drawings(): number {
    return this.program.text.split("\x1b[?25l").length - 1;
  }

  /** Waits for a drawing that begins after now. */
  async next(): Promise<void> {
    const drawn = this.drawings;
    const isWhole = () => this.#last.includes("\x1b8\x1b") || this.#last.endsWith("\x1b8");
    while (this.drawings <= drawn || !isWhole()) await this.program.change();
  }

  /** The lines of the last drawing. */
  get lines(): string[] {
    const screen = new Screen(this.columns, ROWS);
    screen.write(this.#last);
    return screen.text.split("\n");
  }

  async end(): Promise<void> {
    this.program.type("\x03");
    expect(await this.program.ended()).toBe(130);
    expect(this.program.text).toContain("\x1b[?25h");
  }
}

describe.if(need("linux", process.platform === "linux"))("what is redrawn in place", () => {
  test(
    "is drawn anew, for the new size, when the terminal is resized",
    async () => {
      const watched = new Watched();
      await watched.next();
      expect(watched.lines[0]).toStartWith("stopped: ");
      const widest = () => Math.max(...watched.lines.map((line) => Bun.stringWidth(line)));
      expect(widest()).toBeGreaterThan(50);
      watched.columns = 50;
      watched.program.resize(50, ROWS);
      await watched.next();
      await watched.next();
      expect(widest()).toBeLessThan(50);
      await watched.end();
    },
    LIMIT_MS,
  );

  test(
    "goes on after Ctrl-Z where no shell could have it go on, and after it was stopped and continued",
    async () => {
      const watched = new Watched();
      await watched.next();
      watched.program.type("\x1a");
      await watched.next();
      watched.program.kill("SIGSTOP");
      watched.program.kill("SIGCONT");
      await watched.next();
      expect(watched.lines[0]).toStartWith("stopped: ");
      await watched.end();
    },
    LIMIT_MS,
  );
});
