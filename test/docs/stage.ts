// The sample leader of all places, a replica of it, and the places themselves, a few of which are busy at a time.

import { chmodSync, cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Kept } from "./kept.ts";
import { Place } from "./places.ts";
import { type Contents, makeReplica, prepare } from "./prepared.ts";
import { programForAll } from "./users.ts";

const PROJECT = resolve(import.meta.dir, "../..");
const SAMPLE_LEADER = ["scripts/sample/sample-leader.ts", "--rate", "20", "--sessions", "400"];
/** Commands at a time: most of them wait for something, none of them shall wait for long. */
const AT_A_TIME = 4;

export class Stage implements AsyncDisposable {
  readonly #root: string;
  readonly #places = new Map<string, Place>();
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  #leader: Kept | null = null;
  #address = "";
  #program: readonly string[] = [];
  #running = 0;

  private constructor() {
    this.#root = mkdtempSync(join(tmpdir(), "armdb-docs-"));
    // For the users of the places.
    chmodSync(this.#root, 0o755);
  }

  static async start(): Promise<Stage> {
    const stage = new Stage();
    try {
      await stage.#start();
    } catch (thrown) {
      await stage[Symbol.asyncDispose]();
      throw thrown;
    }
    return stage;
  }

  async #start(): Promise<void> {
    this.#program = programForAll(this.#root);
    const words = [...SAMPLE_LEADER, "--data", join(this.#root, "leader")];
    const env = { PATH: process.env["PATH"] ?? "", HOME: this.#root, LC_ALL: "C.UTF-8" };
    const leader = new Kept([process.execPath, ...words], PROJECT, env);
    this.#leader = leader;
    await leader.until('"listening"');
    this.#address = /"at":"([^"]+)"/.exec(leader.output)?.[1] ?? "";
    await using place = this.#fresh();
    cpSync(await makeReplica(place), this.template, { recursive: true });
  }

  /** A replica, to copy. */
  get template(): string {
    return join(this.#root, "replica");
  }

  #fresh(): Place {
    return new Place(mkdtempSync(join(this.#root, "place-")), this.#program, this.#address);
  }

  /** A fresh place, or the one of that name when there is one. */
  async place(name: string, contents?: Contents): Promise<Place> {
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const place = this.#fresh();
    this.#places.set(name, place);
    if (contents !== undefined) await prepare(place, contents, this.template);
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
    const places = [...this.#places.values()];
    const ends = await Promise.allSettled(places.map((place) => place[Symbol.asyncDispose]()));
    await this.#leader?.stop("SIGKILL");
    rmSync(this.#root, { recursive: true, force: true });
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }
}
