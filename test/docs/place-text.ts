// The text of the documents with the addresses and paths of a place: its root for `/`, the sample leader for db1.example:7400,
// free ports for those that are named.

import { join } from "node:path";

const LEADER_NAMES = /\b(db1\.example|db\.example|db1|10\.0\.0\.5):7400\b/g;
/** Not behind something that makes it a part of another path: what was put in once stays. */
const ROOTED = /(?<![\w.$/-])\/(usr\/local|etc|var\/lib|var\/backups|srv)(?![\w.-])/g;
const ABSOLUTE = /(?<![\w.$/-])\/[a-z][^\s"';|&)>]*/g;
/** Names of the machine itself, which nothing is written to. */
const OF_ANY_MACHINE = /^\/(dev\/(null|stdin)|usr\/sbin\/nologin)$/;

export class PlaceText {
  readonly #dir: string;
  readonly #root: string;
  readonly #leader: string;
  readonly #ports = new Map<string, number>();

  /** `dir` is the place, with what is `/` to the documents in it. */
  constructor(dir: string, leader: string) {
    this.#dir = dir;
    this.#root = join(dir, "root");
    this.#leader = leader;
  }

  /** Throws for a path of the machine that runs the test: commands run as root there, and would change it. */
  localised(text: string): string {
    const localised = this.#replaced(text);
    const foreign = [...localised.matchAll(ABSOLUTE)]
      .map(([path]) => path)
      .filter((path) => !path.startsWith(`${this.#dir}/`) && !OF_ANY_MACHINE.test(path));
    if (foreign.length === 0) return localised;
    throw new Error(`not a path of the place: ${foreign.join(", ")}`);
  }

  #replaced(text: string): string {
    return text
      .replace(/--listen 10\.0\.0\.5:7400/g, "--listen 127.0.0.1:7400")
      .replace(LEADER_NAMES, this.#leader)
      .replace(
        /127\.0\.0\.1:(7400|7401|9407)\b/g,
        (_, port: string) => `127.0.0.1:${this.#port(port)}`,
      )
      .replace(/--http (9407|9100)\b/g, (_, port: string) => `--http ${this.#port(port)}`)
      .replace(ROOTED, (path) => join(this.#root, path));
  }

  /** A free port for one of the documents. */
  #port(name: string): number {
    const known = this.#ports.get(name);
    if (known !== undefined) return known;
    const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { port } = probe;
    probe.stop(true);
    this.#ports.set(name, port);
    return port;
  }
}
