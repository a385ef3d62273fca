// What a comparison found, whoever made it: this process, or the follower that runs on the directory (compare/request.ts).
// Used by the command and its renderer. Plain data, plus the differences as something to walk.

import type { Difference } from "./differences.ts";

export interface ComparedShard {
  readonly shard: number;
  /** Slots looked at. */
  readonly compared: number;
  /** Every slot was looked at: without it a shard is never the same. */
  readonly whole: boolean;
  /** Slots that differ; at least so many when `truncated`. */
  readonly differs: number;
  /** Why this shard could not be compared, and what to try; null when it was. */
  readonly unknown: { readonly reason: string; readonly hint: string | null } | null;
}

export interface ShardDifference extends Difference {
  readonly shard: number;
}

export type CompareVerdict = "same" | "differs" | "unknown";

export interface CompareReport {
  readonly verdict: CompareVerdict;
  /** The follower on the directory has mended what differed while it compared. */
  readonly healed: boolean;
  readonly shards: readonly ComparedShard[];
  /** True when more slots differ than were kept: some are counted and not listed, nor looked at again. */
  readonly truncated: boolean;
  /** True when a signal ended it: what is here is what was found until then. */
  readonly stopped: boolean;
  /** Walks the differences by shard and slot. May be walked more than once. */
  differences(): Iterable<ShardDifference>;
}

/** Differences go before what could not be compared (cli.md: Exit codes, 4 before 5). */
export function compareVerdict(
  shards: readonly Pick<ComparedShard, "differs" | "unknown" | "whole">[],
  stopped: boolean,
): CompareVerdict {
  if (shards.some((shard) => shard.differs > 0)) return "differs";
  const isSure = shards.every((shard) => shard.whole && shard.unknown === null);
  return isSure && !stopped ? "same" : "unknown";
}

/** The exit status of a verdict (cli.md: Exit codes). */
export function compareStatus(verdict: CompareVerdict): 0 | 4 | 5 {
  switch (verdict) {
    case "same":
      return 0;
    case "differs":
      return 4;
    case "unknown":
      return 5;
  }
}
