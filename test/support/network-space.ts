// A network namespace of its own, whose loopback is down until a test gives it up. Programs run in it by the words of `inside`.

import { expect } from "bun:test";
import { need } from "./needs.ts";

/** Whether namespaces may be made here. */
export function networkSpaces(): boolean {
  const tried = Bun.spawnSync(["unshare", "-n", "ip", "link", "set", "lo", "up"]);
  return need("network namespaces", tried.exitCode === 0);
}

export class NetworkSpace implements AsyncDisposable {
  readonly #holder: Bun.Subprocess;

  private constructor(holder: Bun.Subprocess) {
    this.#holder = holder;
  }

  static async make(): Promise<NetworkSpace> {
    const holder = Bun.spawn(["unshare", "-n", "cat"], { stdin: "pipe", stdout: "ignore" });
    const space = (pid: number | "self") =>
      Bun.spawnSync(["readlink", `/proc/${pid}/ns/net`]).stdout.toString();
    // `unshare` needs a moment.
    while (space(holder.pid) === space("self")) await Bun.sleep(5);
    return new NetworkSpace(holder);
  }

  /** Words before a program's own. */
  get inside(): readonly string[] {
    return ["nsenter", `--net=/proc/${this.#holder.pid}/ns/net`];
  }

  /** Runs `ip` in there. */
  ip(...words: readonly string[]): void {
    const { exitCode, stderr } = Bun.spawnSync([...this.inside, "ip", ...words]);
    expect([exitCode, stderr.toString()]).toEqual([0, ""]);
  }

  loopback(state: "up" | "down"): void {
    this.ip("link", "set", "lo", state);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.kill("SIGKILL");
    await this.#holder.exited;
  }
}
