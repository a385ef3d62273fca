// A row of the stop table: a replica that is complete is followed on until it is in a phase, told to stop, and must be gone in good
// order within five seconds.

import { expect } from "bun:test";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { shardDirectory } from "../../src/format/routing.ts";
import { HEADER_FIELDS, SHARD_FILE } from "../../src/format/shard-header.ts";
import type { ShardInfo } from "../../src/wire/messages.ts";
import { Armdb } from "./armdb.ts";
import { BAD_LEADER_INFO } from "./bad-leader.ts";
import { inPhase, PhaseLeader, type StopPhase } from "./stop-phases.ts";
import type { TempRoot } from "./temp.ts";

export const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** What the product promises, whatever the machine does besides. */
const STOP_MS_MAX = 5_000;

export class StopTable {
  readonly #temp: TempRoot;
  readonly #info: ShardInfo;
  readonly #shards: number;
  #made: string | null = null;

  constructor(temp: TempRoot, shards: number) {
    this.#temp = temp;
    this.#shards = shards;
    this.#info = { ...BAD_LEADER_INFO, shardCount: shards, shardPrefixBits: 0 };
  }

  /** A replica of its own, complete and closed clean. */
  async #replica(): Promise<string> {
    const dir = this.#temp.fresh("replica");
    if (this.#made === null) {
      using leader = new PhaseLeader({ reach: "streaming" }, this.#info);
      await using follower = Armdb.replicate(leader.address, dir);
      await follower.ready();
      expect((await follower.stop()).status).toBe(0);
      this.#made = dir;
      return await this.#replica();
    }
    cpSync(this.#made, dir, { recursive: true });
    return dir;
  }

  async expectStops(phase: StopPhase, signal: (typeof STOP_SIGNALS)[number]): Promise<void> {
    const dir = await this.#replica();
    using leader = new PhaseLeader(phase, this.#info);
    await using follower = Armdb.replicate(leader.address, dir);
    await inPhase(follower, phase, this.#shards);
    const from = follower.mark;
    const words = phase.beside?.(dir, leader.address);
    await using beside = words === undefined ? null : Armdb.start(words);
    if (beside !== null) await follower.line({ type: "shard", state: "scanning" }, from);
    const toldAtMs = performance.now();
    follower.signal(signal);
    const { status, lines } = await follower.ended();
    expect(performance.now() - toldAtMs).toBeLessThan(STOP_MS_MAX);
    expect([status, lines.at(-1)]).toMatchObject([0, { type: "summary", verdict: "stopped" }]);
    for (let shard = 0; shard < this.#shards; shard++)
      expect([shard, isClean(dir, shard)]).toEqual([shard, true]);
    expect((await beside?.ended())?.status ?? 5).toBe(5);
  }
}

/** The shard's file says that it was closed in good order (format.md: Shard header). */
function isClean(dir: string, shard: number): boolean {
  const header = readFileSync(join(dir, shardDirectory(shard), SHARD_FILE));
  return header[HEADER_FIELDS.cleanShutdown.offset] === 1;
}
