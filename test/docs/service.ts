// A unit that runs: started as its user with a socket for its notices, restarted as the unit says, ended with all that it
// started. What systemd shuts it off from (ProtectSystem= and the like) is not stood in for, and the watchdog does not watch.

import { chmodSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { NoticeReceiver } from "../status/notice-receiver.ts";
import { Kept } from "./kept.ts";
import type { Unit } from "./unit-file.ts";
import { type User, wordsToBecome } from "./users.ts";

export type ServiceState = "inactive" | "activating" | "active" | "deactivating" | "failed";

/** How a start ended: null when it is ready. */
export type StartFailure = "exit" | "timeout" | null;

const LOOK_MS = 20;
/** An end by one of them is no failure. */
const CLEAN_SIGNALS: readonly unknown[] = ["SIGHUP", "SIGINT", "SIGTERM", "SIGPIPE"];
let made = 0;

export class Service {
  readonly unit: Unit;
  state: ServiceState = "inactive";
  readonly #root: string;
  readonly #user: User;
  readonly #env: Readonly<Record<string, string>>;
  #child: Kept | null = null;
  #receiver: NoticeReceiver | null = null;
  #journal = "";
  #isWanted = false;
  #isOver: Promise<void> = Promise.resolve();
  /** Ends of its program before it was ready. */
  #failedStarts = 0;
  #starts = 0;

  /** `root` is what `/` is to the unit. */
  constructor(unit: Unit, user: User, root: string, env: Readonly<Record<string, string>>) {
    this.unit = unit;
    this.#user = user;
    this.#root = root;
    this.#env = env;
  }

  get starts(): number {
    return this.#starts;
  }

  get pid(): number | null {
    return this.#child?.child.pid ?? null;
  }

  /** What it has printed, and how it ended. */
  get journal(): string {
    return this.#journal + (this.#child?.isOver === false ? this.#child.output : "");
  }

  /** The last STATUS=. */
  get statusText(): string {
    const said = this.#receiver?.words.findLast((word) => word.startsWith("STATUS="));
    return said?.slice("STATUS=".length) ?? "";
  }

  /** Goes on by itself afterwards. */
  start(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.state = "activating";
    this.#isOver = this.#run();
  }

  /** Waits for a start that is under way. One that takes too long is ended, as after TimeoutStartSec=. */
  async started(limitMs: number): Promise<StartFailure> {
    const failedBefore = this.#failedStarts;
    const deadline = performance.now() + Math.min(limitMs, this.unit.readyLimitMs);
    while (this.state !== "active") {
      if (this.#failedStarts > failedBefore || this.state === "failed") return "exit";
      if (performance.now() > deadline) {
        await this.stop();
        this.state = "failed";
        return "timeout";
      }
      await Bun.sleep(LOOK_MS);
    }
    return null;
  }

  /** To the program first; to what is left of its group when that is over or the time is out (KillMode=mixed). */
  async stop(): Promise<void> {
    this.#isWanted = false;
    const child = this.#child;
    if (child !== null && !child.isOver) {
      this.state = "deactivating";
      child.killMain("SIGTERM");
      await child.endedWithin(this.unit.stopLimitMs);
    }
    await this.#isOver;
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.killMain(name);
  }

  async #run(): Promise<void> {
    this.#makeStateDirectory();
    const { notifies } = this.unit;
    const name = `@armdb-docs-${process.pid}-${made++}`;
    this.#receiver = notifies ? await NoticeReceiver.start(name) : null;
    try {
      while (this.#isWanted) {
        const { exitCode, signalCode } = await this.#runOnce();
        const isClean = exitCode === 0 || CLEAN_SIGNALS.includes(signalCode);
        this.state = isClean ? "inactive" : "failed";
        const isFinal = isClean || this.unit.finalStatuses.includes(exitCode ?? -1);
        if (!this.#isWanted || !this.unit.restarts || isFinal) break;
        this.state = "activating";
        const again = performance.now() + this.unit.restartMs;
        while (this.#isWanted && performance.now() < again) await Bun.sleep(LOOK_MS);
      }
    } finally {
      this.#isWanted = false;
      if (this.state === "activating") this.state = "inactive";
      await this.#receiver?.[Symbol.asyncDispose]();
    }
  }

  async #runOnce(): Promise<Kept["child"]> {
    const { unit } = this;
    const receiver = this.#receiver;
    const from = receiver?.words.length;
    const limit = unit.openFiles === null ? "" : `ulimit -n ${unit.openFiles}; `;
    const shell = ["sh", "-c", `umask ${unit.umask}; ${limit}exec "$@"`, "sh"];
    const words = [...shell, ...wordsToBecome(this.#user), ...unit.words];
    const notify: Record<string, string> =
      receiver === null ? {} : { NOTIFY_SOCKET: receiver.name };
    const child = new Kept(words, this.#root, {
      ...this.#env,
      HOME: this.#user.home,
      USER: unit.user,
      LOGNAME: unit.user,
      ...notify,
    });
    this.#child = child;
    this.#starts++;
    const isReady = () => receiver === null || receiver.words.includes("READY=1", from);
    while (!child.isOver) {
      if (this.state === "activating" && isReady()) this.state = "active";
      await Bun.sleep(LOOK_MS);
    }
    const { status, output } = await child.ended();
    this.#journal += `${output}(ended: ${status ?? child.child.signalCode})\n`;
    if (this.state === "activating") this.#failedStarts++;
    return child.child;
  }

  /** As systemd.exec(5) has it: one that belongs to somebody else becomes the user's, with all that is in it. */
  #makeStateDirectory(): void {
    const { stateDirectory, stateMode } = this.unit;
    if (stateDirectory === null) return;
    const path = join(this.#root, "var/lib", stateDirectory);
    mkdirSync(path, { recursive: true });
    chmodSync(path, Number.parseInt(stateMode, 8));
    const { uid, gid } = statSync(path);
    if (uid === this.#user.uid && gid === this.#user.gid) return;
    Bun.spawnSync(["chown", "-R", `${this.#user.uid}:${this.#user.gid}`, path]);
  }
}
