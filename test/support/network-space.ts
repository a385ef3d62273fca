// A network namespace of its own, whose loopback is down until a test gives it up, and a cable between two of them that may be
// narrow. Programs run in it by the words of `inside`.

import { expect } from "bun:test";
import { need } from "./needs.ts";

/** Whether namespaces may be made here. */
export function networkSpaces(): boolean {
  const tried = Bun.spawnSync(["unshare", "-n", "ip", "link", "set", "lo", "up"]);
  return need("network namespaces", tried.exitCode === 0);
}

/** Whether a cable may be made narrow here. */
export function narrowCables(): boolean {
  return networkSpaces() && need("tc", Bun.which("tc") !== null);
}

const CABLE = "cable";

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
    this.#run("ip", ...words);
  }

  #run(...words: readonly string[]): void {
    const { exitCode, stderr } = Bun.spawnSync([...this.inside, ...words]);
    expect([exitCode, stderr.toString()]).toEqual([0, ""]);
  }

  /** A cable to another one: this end is 10.9.0.1, the other 10.9.0.2. */
  connect(other: NetworkSpace): void {
    const peer = ["peer", "name", CABLE, "netns", String(other.#holder.pid)];
    this.ip("link", "add", CABLE, "type", "veth", ...peer);
    for (const [space, address] of [
      [this, "10.9.0.1/24"],
      [other, "10.9.0.2/24"],
    ] as const) {
      space.ip("addr", "add", address, "dev", CABLE);
      space.ip("link", "set", CABLE, "up");
    }
  }

  /** What this end sends passes at this rate at most, and waits for it up to `latency`. */
  narrow(rate: string, latency: string): void {
    const bucket = ["tbf", "rate", rate, "burst", "16k", "latency", latency];
    this.#run("tc", "qdisc", "add", "dev", CABLE, "root", ...bucket);
  }

  loopback(state: "up" | "down"): void {
    this.ip("link", "set", "lo", state);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.kill("SIGKILL");
    await this.#holder.exited;
  }
}
