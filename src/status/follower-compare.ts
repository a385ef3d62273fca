// The running follower compares itself with its leader: every shard scans again, what differs is noted
// before it is mended, and what still differs is looked at again in the next round. One comparison at a time; used by
// control-server.ts. The scans are the follower's own, so its live stream stays its own too.

import { DifferenceBudget } from "../audit/compare/differences.ts";
import { sideStatus, type SideWord } from "../audit/look/side-word.ts";
import { compareVerdict } from "../audit/compare/report.ts";
import { versionOf } from "../format/slot.ts";
import type { Clock } from "../io/clock.ts";
import { Timers } from "../io/timers.ts";
import { COMPARE_WORD_INTERVAL_MS, DIFFERENCES_MAX } from "../limits.ts";
import type { CompareEvent } from "../replica/compare/compare-types.ts";
import type { Supervisor } from "../replica/supervisor.ts";
import { asciiJson } from "./ascii-json.ts";
import type { CompareOrder } from "./compare-order.ts";
import { ComparedShardRounds } from "./compared-shard.ts";

/** Memory for what the shards of one comparison keep together is bounded by some of these. */
const SHARDS_FULL_MAX = 4;
/** A piece of the document is not longer than so many differences. */
const PIECE_DIFFERENCES = 1_000;

export interface FollowerCompareOptions {
  readonly supervisor: Pick<Supervisor, "compare">;
  readonly clock: Clock;
  readonly order: CompareOrder;
  progress(rows: readonly CompareRow[]): void;
  /** Once, unless it was stopped before. */
  done(comparison: FollowerCompareRun): void;
}

/** cf. CompareProgress in audit/compare.ts. */
export interface CompareRow {
  readonly shard: number;
  readonly round: number;
  readonly done: number;
  readonly total: number;
}

export class FollowerCompareRun {
  readonly #options: FollowerCompareOptions;
  readonly #shards: readonly ComparedShardRounds[];
  readonly #rows: Map<number, CompareRow>;
  readonly #running = new Map<number, () => void>();
  #round = 0;
  readonly #timers: Timers<"pause" | "word">;
  #stopped = false;

  constructor(options: FollowerCompareOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    const budget = new DifferenceBudget();
    this.#shards = options.order.shards.map((shard) => new ComparedShardRounds(shard, budget));
    this.#rows = new Map(
      options.order.shards.map((shard) => [shard, { shard, round: 1, done: 0, total: 0 }]),
    );
  }

  start(): void {
    this.#sayWord();
    this.#nextRound();
  }

  /** Gives it up; scans under way go on as any other. */
  stop(): void {
    this.#stopped = true;
    this.#timers.stop();
    for (const giveUp of this.#running.values()) giveUp();
    this.#running.clear();
  }

  #nextRound(): void {
    const open = this.#shards.filter((shard) => this.#round === 0 || shard.isOpen);
    if (this.#stopped) return;
    if (open.length === 0 || this.#round === this.#options.order.rounds) {
      this.#timers.stop();
      this.#options.done(this);
      return;
    }
    this.#round++;
    const differencesMax = Math.min(
      DIFFERENCES_MAX,
      Math.ceil((SHARDS_FULL_MAX * DIFFERENCES_MAX) / open.length),
    );
    // All are entered before the first one starts: one that fails at once must not end the round.
    for (const { shard } of open) this.#running.set(shard, () => {});
    for (const shard of open) this.#startShard(shard, differencesMax);
  }

  #startShard(shard: ComparedShardRounds, differencesMax: number): void {
    const giveUp = this.#options.supervisor.compare(shard.shard, differencesMax, (event) =>
      this.#received(shard, event),
    );
    if (this.#running.has(shard.shard)) this.#running.set(shard.shard, giveUp);
  }

  #received(shard: ComparedShardRounds, event: CompareEvent): void {
    if (this.#stopped) return;
    switch (event.kind) {
      case "progress":
        return this.#progress(shard.shard, event.done, event.total);
      case "compared": {
        shard.add(event.scan, this.#round);
        this.#progress(shard.shard, event.scan.compared, event.scan.compared);
        return this.#shardEnded(shard);
      }
      case "failed":
        shard.unknown = event.reason;
        return this.#shardEnded(shard);
    }
  }

  #progress(shard: number, done: number, total: number): void {
    this.#rows.set(shard, { shard, round: this.#round, done, total });
    this.#sayWord();
  }

  /** How far it is; again and again, as the asking side gives up a follower that says nothing. */
  #sayWord(): void {
    this.#options.progress([...this.#rows.values()]);
    this.#timers.set("word", COMPARE_WORD_INTERVAL_MS, () => this.#sayWord());
  }

  #shardEnded({ shard }: ComparedShardRounds): void {
    this.#running.delete(shard);
    if (this.#running.size > 0) return;
    const { order } = this.#options;
    const isMore = this.#round < order.rounds && this.#shards.some((each) => each.isOpen);
    this.#timers.set("pause", isMore ? order.waitMs : 0, () => this.#nextRound());
  }

  /** The document of cli.md (JSON, compare) as one line, in pieces. */
  *document(): Generator<string> {
    const shards = this.#shards.map((each) => ({
      shard: each.shard,
      compared: each.compared,
      whole: each.isWhole,
      differs: each.differs,
      healed: each.healed,
      rescanned: each.rescanned,
      ...(each.unknown === null ? {} : { reason: each.unknown }),
    }));
    const judged = this.#shards.map(({ differs, isWhole, unknown }) => ({
      differs,
      whole: isWhole,
      unknown: unknown === null ? null : { reason: unknown, hint: null },
    }));
    const head = {
      schema: 1,
      command: "compare",
      verdict: compareVerdict(judged, false),
      healed: this.#isHealed,
      truncated: this.#shards.some((each) => each.isTruncated),
      shards,
    };
    yield `${asciiJson(head).slice(0, -1)},"differences":[`;
    let before = "";
    for (const piece of this.#differencePieces()) {
      yield before + piece;
      before = ",";
    }
    yield "]}\n";
  }

  /** All that differed is the leader's by now; false when nothing did. */
  get #isHealed(): boolean {
    const differs = this.#shards.reduce((sum, shard) => sum + shard.differs, 0);
    const healed = this.#shards.reduce((sum, shard) => sum + shard.healed, 0);
    return differs > 0 && differs === healed;
  }

  *#differencePieces(): Generator<string> {
    for (const each of this.#shards) {
      const differences = each.differences();
      for (let start = 0; start < differences.length; start += PIECE_DIFFERENCES) {
        const piece = differences.slice(start, start + PIECE_DIFFERENCES);
        const entries = piece.map(({ slot, kind, here, there }) => ({
          ...{ shard: each.shard, slot, kind, here: sideOf(here), there: sideOf(there) },
          healed: each.isHealed(slot),
        }));
        yield asciiJson(entries).slice(1, -1);
      }
    }
  }
}

function sideOf(word: SideWord): { readonly status: string; readonly version: number } {
  return { status: sideStatus(word), version: versionOf(word) };
}
