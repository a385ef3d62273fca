// The request to compare, as the follower receives it over its control socket (audit/compare-request.ts sends it). Nothing
// of it is believed before it is checked. Pure.

import { ArmdbError } from "../errors.ts";
import { formatAddress, parseAddress } from "../io/address.ts";

/** What is to be compared; `shards` are numbers that exist. */
export interface CompareOrder {
  readonly rounds: number;
  readonly waitMs: number;
  readonly shards: readonly number[];
}

/** As the command line takes them (commands/compare.ts). */
const ROUNDS_MAX = 100;
const WAIT_MS_MAX = 24 * 60 * 60 * 1000;

/** Reads the fields of a request. Throws `usage` for what it cannot be, or names another leader or shard. */
export function readCompareOrder(
  fields: Readonly<Record<string, unknown>>,
  follower: { readonly leader: string; readonly shardCount: number },
): CompareOrder {
  const { leader, rounds, waitMs, shard } = fields;
  const address = typeof leader === "string" ? parseAddress(leader) : null;
  if (address === null) throw badRequest("leader is no HOST:PORT");
  const asked = formatAddress(address);
  if (asked !== follower.leader) {
    throw new ArmdbError(
      "usage",
      `The follower on this directory follows ${follower.leader}, not ${asked}: it compares itself with its own leader only`,
      { hint: `armdb compare DIR ${follower.leader}` },
    );
  }
  if (!isWhole(rounds, 1, ROUNDS_MAX)) throw badRequest(`rounds is not 1 to ${ROUNDS_MAX}`);
  if (!isWhole(waitMs, 0, WAIT_MS_MAX)) throw badRequest(`waitMs is not 0 to ${WAIT_MS_MAX}`);
  return { rounds, waitMs, shards: shardsOf(shard, follower.shardCount) };
}

function shardsOf(shard: unknown, shardCount: number): readonly number[] {
  if (shard === null || shard === undefined) {
    return Array.from({ length: shardCount }, (_, number) => number);
  }
  if (isWhole(shard, 0, shardCount - 1)) return [shard];
  throw new ArmdbError("usage", `There is no such shard here, there are ${shardCount}`, {
    hint: `--shard 0 to ${shardCount - 1}`,
  });
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
}

function badRequest(what: string): ArmdbError {
  return new ArmdbError("usage", `Cannot understand the request: ${what}`, {
    hint: "armdb compare DIR LEADER; is it another version of armdb?",
  });
}
