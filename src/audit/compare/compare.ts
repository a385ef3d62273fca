// compare: a directory against a leader or a second directory, in rounds (cli.md: compare). A round looks at all
// shards; slots that differ are looked at again in the next round, so that writes in flight are no difference. Against a
// leader a round is one connection and one full scan for each shard that is still in question. Reads only.

import { shellWord } from "../../shell-words.ts";
import { ArmdbError } from "../../errors.ts";
import type { SlotLayout } from "../../format/slot.ts";
import { SHARD_FILE } from "../../format/shard-header.ts";
import { shardDirectory } from "../../format/routing.ts";
import type { Clock } from "../../io/clock.ts";
import { type Disk, DiskError } from "../../io/disk.ts";
import type { Net } from "../../io/net.ts";
import { formatAddress } from "../../io/address.ts";
import { DifferenceBudget, DifferenceList } from "./differences.ts";
import {
  type CompareReport,
  type ComparedShard,
  compareVerdict,
  type ShardDifference,
} from "./report.ts";
import { ShardRound } from "./shard.ts";
import { checkTarget, type CompareTarget, knownLayout, refuseOtherGeometry } from "./target.ts";
import type { DatabaseDirectory } from "../look/database-look.ts";
import { scanLeader } from "../leader/receiver.ts";
import { SlotReader, WINDOW_BYTES_SEQUENTIAL, WINDOW_BYTES_SPARSE } from "../look/slot-reader.ts";
import { type Task, taskFor } from "../task.ts";
import { pauseUnlessStopped, Stopped, throwIfStopped } from "../stopped.ts";

export interface CompareOptions {
  readonly directory: DatabaseDirectory;
  readonly target: CompareTarget;
  /** 1 or more. */
  readonly rounds: number;
  /** Between rounds. */
  readonly waitMs: number;
  /** Null: all shards. */
  readonly shard: number | null;
  readonly stop: AbortSignal;
  /** Of all reads, both sides together; null: as fast as it goes. */
  readonly bytesPerSecond: number | null;
  /** Of a leader's scan without progress; null: by the shard's size. */
  readonly timeoutMs: number | null;
  /** For tests: fewer differences than DIFFERENCES_MAX. */
  readonly differencesMax?: number;
  progress(rows: readonly CompareProgress[]): void;
}

export interface CompareProgress {
  readonly shard: number;
  readonly round: number;
  readonly done: number;
  readonly total: number;
}

export interface CompareSurroundings {
  readonly disk: Disk;
  readonly net: Net;
  readonly clock: Clock;
}

/**
 * Compares. Throws leader-unreachable (12) and incompatible (13); what could not be read of one shard, or refused for
 * it, is `unknown` in its place. Stopped by its signal, it returns what it has.
 */
export async function compareDatabases(
  around: CompareSurroundings,
  options: CompareOptions,
): Promise<CompareReport> {
  const layout = knownLayout(options.directory);
  checkTarget(options.directory, options.target, options.shard, layout);
  const run = new CompareRun(around, options, layout);
  return await run.finish();
}

/** A shard between rounds. */
interface ShardState {
  readonly shard: number;
  compared: number;
  /** The first round came to its end. */
  whole: boolean;
  total: number;
  differences: DifferenceList | null;
  unknown: ComparedShard["unknown"];
}

class CompareRun {
  readonly #around: CompareSurroundings;
  readonly #options: CompareOptions;
  readonly #layout: SlotLayout;
  readonly #budget: DifferenceBudget;
  readonly #shards: ShardState[];
  readonly #task: Task;

  constructor(around: CompareSurroundings, options: CompareOptions, layout: SlotLayout) {
    this.#around = around;
    this.#options = options;
    this.#layout = layout;
    const { stop, bytesPerSecond } = options;
    this.#task = taskFor(around.clock, stop, bytesPerSecond);
    this.#budget = new DifferenceBudget(options.differencesMax);
    const { shardCount } = options.directory.routing;
    const numbers =
      options.shard === null ? Array.from({ length: shardCount }, (_, n) => n) : [options.shard];
    this.#shards = numbers.map((shard) => ({
      shard,
      compared: 0,
      whole: false,
      total: 0,
      differences: null,
      unknown: null,
    }));
  }

  async finish(): Promise<CompareReport> {
    let stopped = false;
    try {
      await this.#rounds();
    } catch (thrown) {
      if (!(thrown instanceof Stopped)) throw thrown;
      stopped = true;
    }
    return this.#report(stopped);
  }

  async #rounds(): Promise<void> {
    const { rounds, waitMs, stop } = this.#options;
    for (let round = 1; round <= rounds; round++) {
      const open = this.#shards.filter(
        (state) => round === 1 || (state.differences !== null && state.differences.length > 0),
      );
      if (open.length === 0) return;
      if (round > 1) await pauseUnlessStopped(this.#around.clock, waitMs, stop);
      for (const state of open) {
        throwIfStopped(stop);
        await this.#compareShard(state, round);
      }
    }
  }

  async #compareShard(state: ShardState, round: number): Promise<void> {
    const before = state.differences;
    const into = new DifferenceList(this.#budget);
    // The same slots are kept again, or fewer: their places are free for them.
    before?.release();
    into.carryNotKept(before?.notKept ?? 0);
    try {
      await this.#oneRound(state, round, before, into);
      state.differences = into;
    } catch (thrown) {
      // What a round had found before it broke off is worth telling; a later round that broke off proves nothing.
      if (before === null) state.differences = into;
      if (!(thrown instanceof DiskError) && !isRefusal(thrown)) throw thrown;
      state.unknown = { reason: thrown.message, hint: thrown.details.hint ?? null };
    }
  }

  async #oneRound(
    state: ShardState,
    round: number,
    before: DifferenceList | null,
    into: DifferenceList,
  ): Promise<void> {
    const { shard } = state;
    const here = this.#open(this.#options.directory, shard, before !== null);
    try {
      state.total = Math.max(state.total, here.slotCount);
      const each = new ShardRound({
        here,
        before,
        into,
        task: this.#task,
        progress: (slots) => {
          if (before === null) state.compared = slots;
          this.#showProgress(round);
        },
      });
      await this.#runRound(state, each, before !== null);
      if (before === null) {
        state.compared = each.compared;
        state.whole = true;
      }
      this.#showProgress(round);
    } finally {
      here.close();
    }
  }

  async #runRound(state: ShardState, round: ShardRound, isSparse: boolean): Promise<void> {
    const { target, stop, directory, bytesPerSecond, timeoutMs } = this.#options;
    const { shard } = state;
    if (target.kind === "directory") {
      const there = this.#open(target.directory, shard, isSparse);
      try {
        state.total = Math.max(state.total, there.slotCount);
        await round.against(there);
      } finally {
        there.close();
      }
      return;
    }
    const { address, protocol } = target;
    const { net, clock } = this.#around;
    const name = formatAddress(address);
    await scanLeader(
      net,
      clock,
      { leader: address, shard, protocol, stop, bytesPerSecond, timeoutMs },
      {
        begin: (info) => {
          refuseOtherGeometry(directory, this.#layout, info, `leader ${name}`);
          state.total = Math.max(state.total, info.slotCount);
        },
        event: (event) => round.event(event),
        reach: (slot) => round.reach(slot),
      },
    );
    await round.end();
  }

  #open(directory: DatabaseDirectory, shard: number, isSparse: boolean): SlotReader {
    const path = `${directory.path}/${shardDirectory(shard)}/${SHARD_FILE}`;
    const windowBytes = isSparse ? WINDOW_BYTES_SPARSE : WINDOW_BYTES_SEQUENTIAL;
    const reader = SlotReader.open(this.#around.disk, path, shard, this.#layout, windowBytes);
    if (reader !== null) return reader;
    throw new ArmdbError("unknown", `Cannot compare "${path}": its header is damaged`, {
      path,
      shard,
      hint: `armdb verify ${shellWord(directory.path)}`,
    });
  }

  #showProgress(round: number): void {
    const rows = this.#shards.map(({ shard, compared, total }) => ({
      shard,
      round,
      done: compared,
      total,
    }));
    this.#options.progress(rows);
  }

  #report(stopped: boolean): CompareReport {
    const states = this.#shards;
    const shards = states.map(({ shard, compared, whole, differences, unknown }) => ({
      shard,
      compared,
      whole,
      differs: (differences?.length ?? 0) + (differences?.notKept ?? 0),
      unknown,
    }));
    return {
      verdict: compareVerdict(shards, stopped),
      healed: false,
      shards,
      truncated: states.some((state) => (state.differences?.notKept ?? 0) > 0),
      stopped,
      *differences(): Generator<ShardDifference> {
        for (const { shard, differences } of states) {
          for (const difference of differences ?? []) yield { shard, ...difference };
        }
      },
    };
  }
}

/** A leader that refuses one shard, or a shard here that cannot be used: the others are compared all the same. */
function isRefusal(thrown: unknown): thrown is ArmdbError {
  return thrown instanceof ArmdbError && thrown.code === "unknown";
}
