// Where the commands of the documents run: a sample leader for all of them, and for each a directory of its own with a root
// in it, so that /var/lib/armdb or port 7400 in the text mean something there. What a command needs of a whole machine
// (a service manager, users, ssh) is stood in for by a program that does nothing.

import {
  chmodSync,
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { programWords } from "../support/program.ts";

const PROJECT = resolve(import.meta.dir, "../..");
const LIMIT_MS = 60_000;
/** Commands at a time: most of them wait for something, none of them shall wait for long. */
const AT_A_TIME = 4;
const STAND_INS = ["systemctl", "useradd", "ssh", "journalctl"];
const REPLICA = "/var/lib/armdb/replica";
const LEADER_NAMES = /\b(db1\.example|db\.example|db1|10\.0\.0\.5):7400\b/g;
const ROOTED = /(?<![\w.$/-])\/(usr\/local|etc|var\/lib|var\/backups|srv)(?=\/)/g;
/** Inside the key of slot 1 of shard 1. */
const DAMAGE_AT = 4200;
const DAMAGED_FILE = "shard_001/fixed.data";

export type Contents = "replica" | "damaged" | "live";

export interface Ran {
  readonly status: number | null;
  /** stdout and stderr as they came. */
  readonly output: string;
}

/** A program that goes on. */
class Kept {
  output = "";
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #read: Promise<unknown>;

  constructor(words: readonly string[], cwd: string, env: Record<string, string>) {
    // A process group of its own: a signal reaches all of a pipeline, as from a terminal.
    const streams = { stdin: "ignore", stdout: "pipe", stderr: "pipe" } as const;
    this.child = Bun.spawn([...words], { cwd, env, ...streams, detached: true });
    this.#read = Promise.all([this.#collect(this.child.stdout), this.#collect(this.child.stderr)]);
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.output += decoder.decode(chunk, { stream: true });
  }

  async until(text: string): Promise<void> {
    const deadline = performance.now() + LIMIT_MS;
    while (!this.output.includes(text)) {
      const isOver = this.child.exitCode !== null || performance.now() > deadline;
      if (isOver) throw new Error(`it never said "${text}":\n${this.output}`);
      await Bun.sleep(10);
    }
  }

  kill(signal: NodeJS.Signals): void {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      process.kill(-this.child.pid, signal);
    }
  }

  async stop(signal: NodeJS.Signals): Promise<Ran> {
    this.kill(signal);
    return await this.ended();
  }

  async ended(): Promise<Ran> {
    await this.child.exited;
    await this.#read;
    return { status: this.child.exitCode, output: this.output };
  }
}

/** The sample leader, a replica of it, and the places made from them. */
export class Stage implements AsyncDisposable {
  readonly #root: string;
  readonly #leader: Kept;
  readonly #address: string;
  readonly #places = new Map<string, Place>();
  readonly #turns = new Map<string, Promise<unknown>>();
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  private constructor(root: string, leader: Kept, address: string) {
    this.#root = root;
    this.#leader = leader;
    this.#address = address;
  }

  static async start(): Promise<Stage> {
    const root = mkdtempSync(join(tmpdir(), "armdb-docs-"));
    const words = [
      "scripts/sample/sample-leader.ts",
      "--data",
      join(root, "leader"),
      "--rate",
      "20",
    ];
    const env = environment(root);
    const leader = new Kept([process.execPath, ...words, "--sessions", "400"], PROJECT, env);
    await leader.until('"listening"');
    const address = /"at":"([^"]+)"/.exec(leader.output)?.[1] ?? "";
    const stage = new Stage(root, leader, address);
    await using place = await stage.place("template");
    const made = await place.run(`armdb replicate db1.example:7400 --data ${REPLICA} --once`);
    if (made.status !== 0) throw new Error(made.output);
    cpSync(place.path(REPLICA), join(root, "replica"), { recursive: true });
    return stage;
  }

  get template(): string {
    return join(this.#root, "replica");
  }

  /** A fresh place, or the one of that name when there is one. */
  async place(name: string, contents?: Contents): Promise<Place> {
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const place = new Place(mkdtempSync(join(this.#root, "place-")), this.#address);
    this.#places.set(name, place);
    if (contents !== undefined) place.bring(this.template, REPLICA);
    if (contents === "damaged") place.damage(REPLICA);
    if (contents === "live") {
      const follow = `armdb replicate db1.example:7400 --data ${REPLICA} --http 127.0.0.1:9407`;
      await place.keep(follow, "following");
    }
    return place;
  }

  /** Runs after everything that was given for the same place before, and beside a few others. */
  async inTurn(name: string, run: () => Promise<void>): Promise<void> {
    const before = this.#turns.get(name);
    const turn = (async () => {
      await before;
      if (this.#running >= AT_A_TIME) await new Promise<void>((free) => this.#waiting.push(free));
      this.#running++;
      try {
        await run();
      } finally {
        this.#running--;
        this.#waiting.shift()?.();
      }
    })();
    this.#turns.set(
      name,
      turn.catch(() => {}),
    );
    await turn;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const place of this.#places.values()) await place[Symbol.asyncDispose]();
    await this.#leader.stop("SIGKILL");
    rmSync(this.#root, { recursive: true, force: true });
  }
}

/** One place where commands run. */
export class Place implements AsyncDisposable {
  readonly dir: string;
  readonly #leader: string;
  readonly #kept = new Map<string, Kept>();
  readonly #ports = new Map<string, number>();

  constructor(dir: string, leader: string) {
    this.dir = dir;
    this.#leader = leader;
    const folders = ["bin", "dist", "home/.zfunc", "home/.config/fish/completions"];
    const system = ["usr/local/bin", "usr/local/share/man/man1", "etc/systemd/system", "srv"];
    const data = ["var/lib/armdb", "var/lib/app", "var/backups"];
    for (const path of [...folders, ...[...system, ...data].map((name) => `root/${name}`)]) {
      mkdirSync(join(dir, path), { recursive: true });
    }
    const words = programWords().map((word) => `'${word}'`);
    for (const path of ["bin/armdb", "dist/armdb"])
      this.#program(path, `exec ${words.join(" ")} "$@"`);
    for (const name of STAND_INS) this.#program(`bin/${name}`, "exit 0");
    for (const name of ["node_modules", "scripts", "contrib"]) {
      symlinkSync(join(PROJECT, name), join(dir, name));
    }
  }

  #program(path: string, text: string): void {
    writeFileSync(join(this.dir, path), `#!/bin/sh\n${text}\n`);
    chmodSync(join(this.dir, path), 0o755);
  }

  /** Where a path of the documents lies. */
  path(text: string): string {
    return text.startsWith("/") ? join(this.dir, "root", text) : join(this.dir, text);
  }

  /** Copies a directory to a path of the documents. */
  bring(from: string, path: string): void {
    cpSync(from, this.path(path), { recursive: true });
  }

  /** Changes a byte of a record. */
  damage(path: string): void {
    const fd = openSync(join(this.path(path), DAMAGED_FILE), "r+");
    writeSync(fd, "\xff", DAMAGE_AT, "latin1");
    closeSync(fd);
  }

  /** Runs commands to their end. */
  async run(text: string, shell = "sh"): Promise<Ran> {
    const kept = this.#start(text, shell);
    const timer = setTimeout(() => kept.kill("SIGKILL"), LIMIT_MS);
    const ran = await kept.ended();
    clearTimeout(timer);
    return ran;
  }

  /** Starts a command that goes on, and waits until it says `text`; that is also its name. */
  async keep(command: string, text: string, shell = "sh"): Promise<string> {
    const kept = this.#start(command.includes("|") ? command : `exec ${command}`, shell);
    this.#kept.set(text, kept);
    await kept.until(text);
    return kept.output;
  }

  /** Stops it as by Ctrl-C, or waits for an end that has another cause. */
  async end(name: string, signal: NodeJS.Signals | null): Promise<Ran> {
    const kept = this.#kept.get(name);
    if (kept === undefined) throw new Error(`nothing that said "${name}" goes on here`);
    this.#kept.delete(name);
    return signal === null ? await kept.ended() : await kept.stop(signal);
  }

  #start(text: string, shell: string): Kept {
    return new Kept([shell, "-eu", "-c", this.#localised(text)], this.dir, environment(this.dir));
  }

  /** The text with the addresses and paths of this place. */
  #localised(text: string): string {
    return text
      .replace(/--listen 10\.0\.0\.5:7400/g, "--listen 127.0.0.1:7400")
      .replace(LEADER_NAMES, this.#leader)
      .replace(
        /127\.0\.0\.1:(7400|7401|9407)\b/g,
        (_, port: string) => `127.0.0.1:${this.#port(port)}`,
      )
      .replace(/--http (9407|9100)\b/g, (_, port: string) => `--http ${this.#port(port)}`)
      .replace(ROOTED, (path) => join(this.dir, "root", path));
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

  async [Symbol.asyncDispose](): Promise<void> {
    for (const kept of this.#kept.values()) await kept.stop("SIGTERM");
    this.#kept.clear();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function environment(dir: string): Record<string, string> {
  const path = `${join(dir, "bin")}:${process.env["PATH"] ?? ""}`;
  return { PATH: path, HOME: join(dir, "home"), LC_ALL: "C.UTF-8", MANPAGER: "cat", PAGER: "cat" };
}
