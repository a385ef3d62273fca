// Temporary directories and other processes for tests of locks and of serve.

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FixtureName, fixtureDirectory, type FixtureState } from "./fixtures.ts";

/** A directory of one test's own, removed with all its contents at the end. */
export class TempDirectory implements Disposable {
  readonly path: string;

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), "armdb-serve-"));
  }

  /** A copy of a fixture's directory in it. */
  fixture(name: FixtureName, state: FixtureState): string {
    const path = join(this.path, `${name}-${state}`);
    cpSync(fixtureDirectory(name, state), path, { recursive: true });
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export type HoldMode = "exclusive" | "shared" | "writing" | "reading";

/** Another process that holds something of a directory until it is disposed of. */
export class Holder implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;

  private constructor(mode: HoldMode, dir: string) {
    const script = join(import.meta.dir, "hold-fixture.ts");
    this.#child = Bun.spawn([process.execPath, script, mode, dir], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
  }

  /** Resolves once it holds it. */
  static async start(mode: HoldMode, dir: string): Promise<Holder> {
    const holder = new Holder(mode, dir);
    const reader = holder.#child.stdout.getReader();
    const { value } = await reader.read();
    if (new TextDecoder().decode(value).trim() !== "ready") {
      throw new Error(`the holder did not get ${mode} on ${dir}`);
    }
    reader.releaseLock();
    return holder;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Ends it without a chance to clean up. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.end();
    await this.#child.exited;
  }
}
