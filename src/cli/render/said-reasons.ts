// Which reasons a follower has given of each shard: one that does not change is given once, however often it is met again. Pure; used
// by follow-log.ts. It is news again when the shard has been well meanwhile for as long as its backoff takes to fall back.

import type { ShardSnapshot } from "../../replica/follower-types.ts";

const WELL_MS = 60_000;
/** Of one shard. A leader can make up as many as it likes. */
const REASONS_MAX = 32;

/** Of what: the connection, the scan beside it, or that the shard differs. */
export type ReasonOf = "main" | "beside" | "diverged";

interface Shard {
  readonly said: Set<string>;
  wellSinceMs: number | null;
}

export class SaidReasons {
  readonly #shards = new Map<number, Shard>();

  /** Notes how a shard is. */
  note({ shard: number, state, divergedSlots }: ShardSnapshot, nowMs: number): void {
    const shard = this.#of(number);
    if (divergedSlots === 0) forget(shard, "diverged");
    const isWell = state === "live" || state === "polling";
    if (isWell) shard.wellSinceMs ??= nowMs;
    // Only what is left is known to have lasted.
    const lasted = shard.wellSinceMs !== null && nowMs - shard.wellSinceMs >= WELL_MS;
    if (lasted) forget(shard, "main");
    if (!isWell) shard.wellSinceMs = null;
  }

  /** A whole scan of it has come through. */
  scanned(number: number): void {
    forget(this.#of(number), "beside");
  }

  /** Whether it has been given of this shard, of none yet, or of others alone; of a connection figures make no difference. */
  given(number: number, of: ReasonOf, text: string): "of-it" | "of-none" | "of-others" {
    const { said } = this.#of(number);
    const reason = `${of} ${of === "diverged" ? text : text.replaceAll(/\d+/g, "#")}`;
    if (said.has(reason)) return "of-it";
    const isKnown = [...this.#shards.values()].some((shard) => shard.said.has(reason));
    if (said.size < REASONS_MAX) said.add(reason);
    return isKnown ? "of-others" : "of-none";
  }

  #of(number: number): Shard {
    const known = this.#shards.get(number);
    if (known !== undefined) return known;
    const shard: Shard = { said: new Set(), wellSinceMs: null };
    this.#shards.set(number, shard);
    return shard;
  }
}

function forget({ said }: Shard, of: ReasonOf): void {
  for (const reason of said) if (reason.startsWith(`${of} `)) said.delete(reason);
}
