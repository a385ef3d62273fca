// One place where commands of the documents run: a directory with the project in it, as after a build, and below root/ what a
// fresh Debian has. What commands need of a whole machine (users, a service manager, ssh) is stood in for by the programs of
// stand-ins/, which act on the place.

import {
  chmodSync,
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { Kept, type Ran } from "./kept.ts";
import { PlaceText } from "./place-text.ts";
import { ServiceManager } from "./service-manager.ts";
import { CHANGES_USERS, Users } from "./users.ts";

const PROJECT = resolve(import.meta.dir, "../..");
const STAND_INS = join(import.meta.dir, "stand-ins");
/** More than a start of a service may take, which then says why. */
const LIMIT_MS = 90_000;
const FRESH_DEBIAN = [
  "etc/systemd/system",
  "usr/local/bin",
  "usr/local/share/man",
  "var/lib",
  "var/backups",
  "srv",
];
/** Inside the key of slot 1 of shard 1. */
const DAMAGE_AT = 4200;
const DAMAGED_FILE = "shard_001/fixed.data";

export class Place implements AsyncDisposable {
  readonly dir: string;
  readonly root: string;
  readonly #text: PlaceText;
  readonly #kept = new Map<string, Kept>();
  readonly #manager: ServiceManager;
  #path: readonly string[];

  /** `program` are the words that start armdb, `leader` is the address of the sample leader. */
  constructor(dir: string, program: readonly string[], leader: string) {
    this.dir = dir;
    this.root = join(dir, "root");
    this.#text = new PlaceText(dir, leader);
    this.#path = [join(dir, "bin"), join(this.root, "usr/local/bin")];
    chmodSync(dir, 0o755);
    const folders = ["bin", "dist", "home/.zfunc", "home/.config/fish/completions", "tmp"];
    for (const path of [...folders, ...FRESH_DEBIAN.map((name) => `root/${name}`)])
      mkdirSync(join(dir, path), { recursive: true });
    chmodSync(join(dir, "tmp"), 0o1777);
    this.#build(program);
    for (const name of ["node_modules", "scripts", "contrib"])
      symlinkSync(join(PROJECT, name), join(dir, name));
    this.#manager = new ServiceManager({
      root: this.root,
      users: new Users(join(this.root, "etc/passwd")),
      env: { ...this.#environment(), PATH: this.#path.slice(1).concat(hostPath()).join(":") },
      localised: (text) => this.#text.localised(text),
    });
    this.#standIn();
  }

  /** dist/armdb. It takes the place's /etc for the machine's. */
  #build(program: readonly string[]): void {
    const config = join(this.root, "etc/armdb.toml");
    const text = `#!/bin/sh
export BUN_RUNTIME_TRANSPILER_CACHE_PATH=0
if [ -e '${config}' ]; then export ARMDB_CONFIG="\${ARMDB_CONFIG-${config}}"; fi
exec ${program.map((word) => `'${word}'`).join(" ")} "$@"
`;
    writeFileSync(join(this.dir, "dist/armdb"), text);
    chmodSync(join(this.dir, "dist/armdb"), 0o755);
  }

  #standIn(): void {
    for (const name of readdirSync(STAND_INS).filter((each) => !each.endsWith(".ts")))
      symlinkSync(join(STAND_INS, name), join(this.dir, "bin", name));
    const socket = join(this.dir, "manager");
    const client = [process.execPath, join(STAND_INS, "systemctl.ts"), socket];
    const words = client.map((word) => `'${word}'`).join(" ");
    writeFileSync(join(this.dir, "bin/systemctl"), `#!/bin/sh\nexec ${words} "$@"\n`);
    chmodSync(join(this.dir, "bin/systemctl"), 0o755);
    this.#manager.listen(socket);
  }

  /** Puts a directory of the place in front of the PATH. */
  addToPath(path: string): void {
    const [standIns = "", ...others] = this.#path;
    if (!others.includes(this.path(path))) this.#path = [standIns, this.path(path), ...others];
  }

  /** Where a path of the documents lies. */
  path(text: string): string {
    return join(text.startsWith("/") ? this.root : this.dir, text);
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
    return await this.#start(text, shell).endedWithin(LIMIT_MS);
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
    const words = [shell, "-eu", "-c", `umask 022\n${this.#text.localised(text)}`];
    return new Kept(words, this.dir, this.#environment());
  }

  #environment(): Record<string, string> {
    return {
      PATH: [...this.#path, hostPath()].join(":"),
      HOME: join(this.dir, "home"),
      TMPDIR: join(this.dir, "tmp"),
      LC_ALL: "C.UTF-8",
      MANPAGER: "cat",
      PAGER: "cat",
      PLACE_USERS: CHANGES_USERS ? "1" : "0",
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#kept.values()].map((kept) => kept.stop("SIGTERM")));
    this.#kept.clear();
    await this.#manager[Symbol.asyncDispose]();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function hostPath(): string {
  return process.env["PATH"] ?? "";
}
