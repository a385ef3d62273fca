// A drill: a real leader and a follower process with a proxy between them, faults one after the other by a seed, and at each rest the
// truth. The leader rests then, so what the follower lacks is at least as old as the last write: whoever says less is lying. The truth
// is worked out from the files by format.md and from the crate's own digest, never from what the follower says.

import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { shardDirectory } from "../../src/format/routing.ts";
import { SHARD_FILE } from "../../src/format/shard-header.ts";
import type { StatusDocument } from "../../src/status/status-types.ts";
import { type Armdb, runArmdb } from "./armdb.ts";
import { Dice } from "./dice.ts";
import { type Claims, claimFaults } from "./drill-claims.ts";
import { digestOf, type Digest, type OracleLeader, type OracleVersion } from "./oracle.ts";
import { Proxy } from "./proxy.ts";
import { shardsOf } from "./replica-contents.ts";
import { ReplicaStage, TWO_SHARDS } from "./replica-stage.ts";

/** Keys below this are put first and never deleted: a whole scan of any time has all of them. */
const BASE_KEYS = 2_000;
const KEYS = 6_000;
const MAX_LAG_MS = 3_000;
const LOOK_AGAIN_MS = 150;
const DRILL_MS_MAX = 900_000;
const FINE: readonly string[] = ["live", "polling"];

export interface DrillOptions {
  readonly version: OracleVersion;
  readonly seed: number;
  /** How long one fault lasts at most. */
  readonly faultMsMax: number;
  /** After it, and with a leader that rests, the replica is equal and what it says is fine within this. */
  readonly convergedMs: number;
  /** Programs that a leader may be exchanged for when it comes back; its own unless told. */
  readonly versions?: readonly OracleVersion[];
  /** Of replicate, beside those of every drill. */
  readonly args?: readonly string[];
}

export class Drill implements AsyncDisposable {
  readonly #options: DrillOptions;
  readonly #dice: Dice;
  readonly #stage: ReplicaStage;
  readonly #dir: string;
  #leader: OracleLeader | null = null;
  #proxy: Proxy | null = null;
  #follower: Armdb | null = null;
  #seed = 100;
  #wroteAtMs = 0;
  /** Every fault so far, for the words of a failure. */
  readonly steps: string[] = [];
  #baseKeys: readonly string[] = [];
  /** How often claims were held against the truth. */
  looks = 0;

  private constructor(options: DrillOptions) {
    this.#options = options;
    this.#dice = new Dice(options.seed);
    this.#stage = new ReplicaStage(options.version, TWO_SHARDS);
    this.#dir = this.#stage.path("replica");
  }

  static async start(options: DrillOptions): Promise<Drill> {
    const drill = new Drill(options);
    drill.#leader = await drill.#stage.leader();
    await drill.#leader.fill(0, BASE_KEYS, 1);
    drill.#baseKeys = [...keysOf(drill.leader.dir)];
    await drill.#leader.fill(BASE_KEYS, KEYS - BASE_KEYS, 1);
    drill.#proxy = await Proxy.start(drill.#leader.port);
    drill.#follow();
    return drill;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy?.[Symbol.asyncDispose]();
    await this.#stage[Symbol.asyncDispose]();
  }

  get leader(): OracleLeader {
    if (this.#leader === null) throw new Error("no leader runs");
    return this.#leader;
  }

  get #link(): Proxy {
    return this.#proxy as Proxy;
  }

  // ---- what happens ----

  /** One fault, with writes before, in and behind it. */
  async fault(): Promise<void> {
    const all: Readonly<Record<string, (ms: number) => Promise<void>>> = {
      writes: () => this.#write(1 + this.#dice.below(300)),
      burst: () => this.#write(30_000),
      "leader restarts": (ms) => this.#exchange(ms, "close"),
      "leader killed": (ms) => this.#exchange(ms, "kill"),
      "follower suspended": (ms) => this.#suspended(ms),
      "network stands still": (ms) => this.#standsStill(ms),
      "connections reset": async () => this.#link.resetAll(),
      "cut in a scan": () => this.#cutInScan(),
      "leader closed in a scan": (ms) => this.#closedInScan(ms),
      "burst behind a scan": () => this.#burstBehindScan(),
      "follower killed": (ms) => this.#restarts(ms, "SIGKILL"),
      "follower stopped": (ms) => this.#restarts(ms, "SIGTERM"),
    };
    const name = this.#dice.pick(Object.keys(all));
    this.steps.push(name);
    await all[name]?.(this.#dice.below(this.#options.faultMsMax));
  }

  /** Writes so many times, all at once; each time round the keys with other values. */
  async #write(count: number): Promise<void> {
    const { leader } = this;
    if (this.#dice.oneIn(3)) await leader.delrange(BASE_KEYS + this.#dice.below(KEYS / 2), 50);
    const from = this.#dice.below(KEYS - 1);
    for (let left = count; left > 0;) {
      const at = left === count ? from : 0;
      const part = Math.min(left, KEYS - at);
      await leader.fill(at, part, this.#seed++);
      left -= part;
    }
    this.#wroteAtMs = performance.now();
  }

  async #exchange(ms: number, how: "close" | "kill"): Promise<void> {
    const { leader } = this;
    await (how === "close" ? leader.close() : leader.kill());
    await Bun.sleep(ms);
    const version = this.#dice.pick(this.#options.versions ?? [this.#options.version]);
    this.steps.push(version);
    this.#leader = await this.#stage.leader(leader.dir, undefined, version);
    this.#link.leaderPort = this.#leader.port;
  }

  async #suspended(ms: number): Promise<void> {
    this.#follower?.signal("SIGSTOP");
    await this.#write(this.#dice.pick([10, 12_000, 40_000]));
    await Bun.sleep(ms);
    this.#follower?.signal("SIGCONT");
  }

  /** What the follower says meanwhile is held against the truth as well. */
  async #standsStill(ms: number): Promise<void> {
    this.#link.standStill();
    await this.#write(this.#dice.pick([10, 12_000, 40_000]));
    const wanted = contentsOf(this.leader.dir);
    for (const endMs = performance.now() + ms; performance.now() < endMs;) {
      await this.#look(wanted);
      await Bun.sleep(LOOK_AGAIN_MS);
    }
    this.#link.goOn();
  }

  /** The connections of now break, and the next ones do so at some byte of their scans. */
  async #cutInScan(): Promise<void> {
    let cuts = 1 + this.#dice.below(3);
    const cut = this.#dice.pick(["fin", "reset"] as const);
    const finishDelayMs = this.#dice.pick([0, 300, 2_000]);
    const bytes = 500 + this.#dice.below(100_000);
    this.#link.plan = () => ({
      toFollower: cuts-- > 0 ? { cutAtByte: bytes, cut, finishDelayMs } : { finishDelayMs },
    });
    this.#link.resetAll();
    await this.#write(10);
  }

  /** Five times what a ring holds, at a new process while it scans: what its ring drops then, most leaders do not tell. */
  async #burstBehindScan(): Promise<void> {
    const from = this.#mark;
    await this.#exchange(0, "close");
    await this.#scanning(from);
    await this.#write(80_000);
  }

  get #mark(): number {
    return this.#follower?.mark ?? 0;
  }

  async #scanning(from: number): Promise<void> {
    await this.#follower?.line({ type: "shard", state: "scanning" }, from);
  }

  /** The scan's end adds up, and the connection's comes through late: its leader is back before, or soon after. */
  async #closedInScan(ms: number): Promise<void> {
    const finishDelayMs = this.#dice.pick([300, 3_000, 30_000]);
    this.#link.plan = { toFollower: { finishDelayMs } };
    const from = this.#mark;
    this.#link.resetAll();
    await this.#scanning(from);
    await this.#exchange(this.#dice.oneIn(2) ? 0 : ms, "close");
  }

  async #restarts(ms: number, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const follower = this.#follower as Armdb;
    // Before its first words a signal ends it as it ends any program.
    await follower.line({ type: "http" });
    follower.signal(signal);
    const { status } = await follower.ended();
    if (signal === "SIGTERM" && status !== 0)
      throw new Error(`${this.#told}: ended with ${status}`);
    await this.#write(10);
    await Bun.sleep(ms);
    this.#follow();
  }

  #follow(): void {
    const lag = ["--http", "0", "--max-lag", `${MAX_LAG_MS}ms`];
    const args = [...lag, "--poll", "1s", "--resync", "10s", ...(this.#options.args ?? [])];
    this.#follower = this.#stage.follower(this.#link, this.#dir, args, { limitMs: DRILL_MS_MAX });
  }

  // ---- what is said, and what is so ----

  get #told(): string {
    return `seed ${this.#options.seed}, after ${this.steps.join(", ")}`;
  }

  /** The leader writes nothing: until the replica is equal and says so, nothing it says may be better than the truth. */
  async rest(): Promise<void> {
    this.#link.plan = {};
    const wanted = contentsOf(this.leader.dir);
    expect(digestOf(recordsOf(this.leader.dir).flat())).toEqual(await this.leader.digest());
    const endMs = performance.now() + this.#options.convergedMs;
    for (;;) {
      const claims = await this.#look(wanted);
      if (claims.isEqual && claims.isFine) return;
      if (performance.now() > endMs) {
        const { stderr } = this.#follower as Armdb;
        const said = `${JSON.stringify(claims.document)}\n${stderr.slice(-3000)}`;
        throw new Error(`${this.#told}: not equal and fine in time; it says\n${said}`);
      }
      await Bun.sleep(LOOK_AGAIN_MS);
    }
  }

  async #look(wanted: readonly (Digest | null)[]): Promise<Claims & Look> {
    this.looks++;
    const sinceWriteMs = performance.now() - this.#wroteAtMs;
    const run = await runArmdb(["status", this.#dir, "--json"]);
    const [health, ready] = [await this.#ask("/health"), await this.#ask("/ready")];
    const here = contentsOf(this.#dir);
    const claims: Claims = {
      ...{ sinceWriteMs, maxLagMs: MAX_LAG_MS, exit: run.status, health, ready },
      document: run.stdout === "" ? null : (JSON.parse(run.stdout) as StatusDocument),
      equal: wanted.map((digest, shard) => digest?.digest === here[shard]?.digest),
      hasBase: this.#hasBase(),
    };
    const faults = claimFaults(claims);
    if (faults.length > 0) {
      const { stderr } = this.#follower as Armdb;
      const said = `${JSON.stringify(claims)}\n${stderr.slice(-3000)}`;
      throw new Error(`${this.#told}: ${faults.join("; ")}; it said\n${said}`);
    }
    const states = claims.document?.shards.map(({ state }) => state) ?? [];
    const isFollowing = states.length > 0 && states.every((state) => FINE.includes(state));
    return {
      ...claims,
      isEqual: !claims.equal.includes(false),
      isFine: isFollowing && ready === 200,
    };
  }

  #hasBase(): boolean {
    const keys = keysOf(this.#dir);
    return this.#baseKeys.every((key) => keys.has(key));
  }

  /** The status of an answer; null where nobody answers. */
  async #ask(path: string): Promise<number | null> {
    const at = this.#follower?.lines.find(({ type }) => type === "http")?.["at"];
    if (at === undefined) return null;
    try {
      return (await fetch(`http://${String(at)}${path}`, { keepalive: false })).status;
    } catch {
      return null;
    }
  }

  /** The end in good order: verify is content, and the crate reads what its leader has. */
  async end(): Promise<void> {
    const { status } = await (this.#follower as Armdb).stop();
    const verify = await runArmdb(["verify", this.#dir, "--json"]);
    const wanted = await this.leader.digest();
    const found = await this.#stage.digest(this.#dir);
    const { verdict, complete } = JSON.parse(verify.stdout) as Record<string, unknown>;
    expect({ status, exit: verify.status, verdict, complete, found }).toEqual({
      ...{ status: 0, exit: 0, verdict: "ok", complete: true },
      found: wanted,
    });
  }
}

interface Look {
  readonly isEqual: boolean;
  readonly isFine: boolean;
}

/** One digest a shard; none while the files are being made. */
function contentsOf(dir: string): readonly Digest[] {
  return recordsOf(dir).map((records) => digestOf(records));
}

function keysOf(dir: string): ReadonlySet<string> {
  const records = recordsOf(dir).flat();
  return new Set(records.map(([key]) => Buffer.from(key).toString("hex")));
}

function recordsOf(dir: string): (readonly [Uint8Array, Uint8Array])[][] {
  const shards = Array.from({ length: TWO_SHARDS.shards }, (_, shard) => shardDirectory(shard));
  if (!shards.every((shard) => existsSync(join(dir, shard, SHARD_FILE)))) return [];
  return shardsOf(dir).map((shard) => [...shard.records()]);
}
