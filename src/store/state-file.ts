// armdb.state.json in DIR: what a follower knows that no other file says, for `status` when none runs and for the next start.
// Diagnostic, like the cursor: a missing or broken one costs a round trip, never data. Read with bounds.

import { join } from "node:path";
import { savedAddress } from "../io/address.ts";
import type { Disk } from "../io/disk.ts";
import { SHARDS_MAX } from "../limits.ts";
import type { NewFileOwner } from "./ownership.ts";
import { readSmallFile } from "./read-file.ts";
import { type Replacement, replaceFile } from "./replace-file.ts";

export const STATE_FILE = "armdb.state.json";
export const STATE_TEMP_FILE = "armdb.state.json.tmp";
const STATE_BYTES_MAX = 1024 * 1024;
const CONNECTIONS_KEPT_MAX = 10_000;

export interface ShardState {
  readonly shard: number;
  /** Unix time at which the last whole scan began, ms; null: never. */
  readonly lastFullScanAtMs: number | null;
  readonly divergedSlots: number;
}

export interface FollowerState {
  /** `host:port`, as formatAddress writes it. */
  readonly leader: string;
  readonly protocol: 1 | 2 | null;
  /** All shards exist; false while a new directory is being made. */
  readonly created: boolean;
  readonly shards: readonly ShardState[];
  /** Unix times of the connections of the last day (protocol 1), ms. */
  readonly connectionsAtMs: readonly number[];
  readonly savedAtMs: number;
}

/** Reads the state; null where there is none, or none that makes sense. */
export function readState(disk: Disk, dir: string): FollowerState | null {
  const bytes = readSmallFile(disk, join(dir, STATE_FILE), STATE_BYTES_MAX);
  if (bytes === null) return null;
  try {
    return stateOf(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return null;
    throw thrown;
  }
}

/** Saves the state; `later` while a follower runs, whose signals and status must not wait for a slow disk. */
export function saveState(
  disk: Disk,
  dir: string,
  state: FollowerState,
  owner: NewFileOwner,
  replacement: Replacement = "durable",
): void {
  const text = Buffer.from(`${JSON.stringify({ schema: 1, ...state }, null, 1)}\n`);
  const temp = join(dir, STATE_TEMP_FILE);
  replaceFile(disk, join(dir, STATE_FILE), temp, [text], owner, replacement);
}

function stateOf(value: unknown): FollowerState | null {
  if (!isRecord(value) || typeof value["leader"] !== "string") return null;
  const protocol = value["protocol"];
  const shards = Array.isArray(value["shards"]) ? value["shards"].slice(0, SHARDS_MAX) : [];
  const connections = Array.isArray(value["connectionsAtMs"]) ? value["connectionsAtMs"] : [];
  return {
    leader: savedAddress(value["leader"].slice(0, 300)),
    protocol: protocol === 1 || protocol === 2 ? protocol : null,
    created: value["created"] !== false,
    shards: shards.filter(isRecord).map((shard) => ({
      shard: numberOr(shard["shard"], 0) ?? 0,
      lastFullScanAtMs: numberOr(shard["lastFullScanAtMs"], null),
      divergedSlots: numberOr(shard["divergedSlots"], 0) ?? 0,
    })),
    connectionsAtMs: connections
      .filter((at): at is number => typeof at === "number" && Number.isFinite(at))
      .slice(-CONNECTIONS_KEPT_MAX),
    savedAtMs: numberOr(value["savedAtMs"], 0) ?? 0,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function numberOr(value: unknown, otherwise: number | null): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}
