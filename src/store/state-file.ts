// armdb.state.json in DIR: what a follower knows that no other file says, for whoever looks when none runs and for the next start. A
// missing or broken one costs scans, never data. Read with bounds; what it holds beside what is known here is kept and written back.

import { join } from "node:path";
import { savedAddress } from "../io/address.ts";
import type { Disk } from "../io/disk.ts";
import { DIVERGED_LISTED_MAX, SHARDS_MAX } from "../limits.ts";
import type { NewFileOwner } from "./ownership.ts";
import { readSmallFile } from "./read-file.ts";
import { type Replacement, replaceFile } from "./replace-file.ts";

export const STATE_FILE = "armdb.state.json";
export const STATE_TEMP_FILE = "armdb.state.json.tmp";
const STATE_BYTES_MAX = 1024 * 1024;
const CONNECTIONS_KEPT_MAX = 30_000;
/** Fields of others, at the top and of all shards together. */
const OTHERS_BYTES_MAX = 64 * 1024;

type Fields = Readonly<Record<string, unknown>>;

/** A slot that differed: its number, the kind, the meta words here and at the leader (null: it does not have it). */
export type SavedDivergedSlot = readonly [
  slot: number,
  kind: "older" | "same-version" | "missing",
  here: number,
  there: number | null,
];

export interface ShardState {
  readonly shard: number;
  /** False from the moment the shard is made until a whole scan of it is durable; null: made by somebody else. */
  readonly complete: boolean | null;
  /** Unix time at which the last whole scan began, ms; null: never. */
  readonly lastFullScanAtMs: number | null;
  readonly lastFullScanTookMs: number | null;
  readonly divergedSlots: number;
  /** The first of them. */
  readonly diverged: readonly SavedDivergedSlot[];
  /** A whole scan that is due. */
  readonly owed: { readonly why: string; readonly sinceAtMs: number } | null;
  /** When it last held all that its leader had. */
  readonly currentAtMs: number | null;
  /** When the last frame came from the leader. */
  readonly leaderHeardAtMs: number | null;
  /** Of the run that saved them, to be shown once it has stopped; null: an older armdb saved none. */
  readonly counters: SavedCounters | null;
}

/** What may pass 2^53 is decimal digits. */
export interface SavedCounters {
  readonly scansTotal: number;
  readonly healedTotal: number;
  readonly rescannedTotal: string;
  readonly replacedTotal: string;
  readonly skippedTotal: string;
  readonly resetsSaved: number;
}

/** A shard of which nothing is known. */
export const NOTHING_KNOWN: Omit<ShardState, "shard"> = {
  ...{ complete: null, lastFullScanAtMs: null, lastFullScanTookMs: null, divergedSlots: 0 },
  ...{ diverged: [], owed: null, currentAtMs: null, leaderHeardAtMs: null, counters: null },
};

export interface FollowerState {
  /** `host:port`, brackets around an IPv6 host. */
  readonly leader: string;
  readonly protocol: 1 | 2 | null;
  /** All shards exist; false while a new directory is being made. */
  readonly created: boolean;
  readonly shards: readonly ShardState[];
  /** Unix times of the connections of the last day (protocol 1), ms. */
  readonly connectionsAtMs: readonly number[];
  readonly savedAtMs: number;
  /** Fields that are not ours: at the top, and by shard. */
  readonly others: { readonly top: Fields; readonly shards: ReadonlyMap<number, Fields> };
}

export const NO_OTHERS: FollowerState["others"] = { top: {}, shards: new Map() };

const TOP_FIELDS = [
  "schema",
  "leader",
  "protocol",
  "created",
  "savedAtMs",
  "connectionsAtMs",
  "shards",
];
const SHARD_FIELDS = [
  ...["shard", "complete", "lastFullScanAtMs", "lastFullScanTookMs", "divergedSlots"],
  ...["diverged", "owed", "currentAtMs", "leaderHeardAtMs", "counters"],
];

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
  const { others, shards, ...known } = state;
  const shardsWithOthers = shards.map((shard) => ({ ...others.shards.get(shard.shard), ...shard }));
  const document = { schema: 1, ...others.top, ...known, shards: shardsWithOthers };
  const text = Buffer.from(`${JSON.stringify(document, null, 1)}\n`);
  const temp = join(dir, STATE_TEMP_FILE);
  replaceFile(disk, join(dir, STATE_FILE), temp, [text], owner, replacement);
}

function stateOf(value: unknown): FollowerState | null {
  if (!isRecord(value) || typeof value["leader"] !== "string") return null;
  const protocol = value["protocol"];
  const shards = Array.isArray(value["shards"]) ? value["shards"].slice(0, SHARDS_MAX) : [];
  const connections = Array.isArray(value["connectionsAtMs"]) ? value["connectionsAtMs"] : [];
  const records = shards.filter(isRecord);
  return {
    leader: savedAddress(value["leader"].slice(0, 300)),
    protocol: protocol === 1 || protocol === 2 ? protocol : null,
    created: value["created"] !== false,
    shards: records.map(shardOf),
    connectionsAtMs: connections.filter(isNumber).slice(-CONNECTIONS_KEPT_MAX),
    savedAtMs: numberOr(value["savedAtMs"], 0) ?? 0,
    others: othersOf(value, records),
  };
}

function shardOf(shard: Fields): ShardState {
  const { complete, owed } = shard;
  const lastFullScanAtMs = numberOr(shard["lastFullScanAtMs"], null);
  const diverged = Array.isArray(shard["diverged"]) ? shard["diverged"] : [];
  return {
    shard: numberOr(shard["shard"], 0) ?? 0,
    // A file of an older armdb says it by its last whole scan alone.
    complete: typeof complete === "boolean" ? complete : lastFullScanAtMs === null ? null : true,
    lastFullScanAtMs,
    lastFullScanTookMs: numberOr(shard["lastFullScanTookMs"], null),
    divergedSlots: numberOr(shard["divergedSlots"], 0) ?? 0,
    diverged: diverged.slice(0, DIVERGED_LISTED_MAX).filter(isDivergedSlot),
    owed:
      isRecord(owed) && typeof owed["why"] === "string" && isNumber(owed["sinceAtMs"])
        ? { why: owed["why"], sinceAtMs: owed["sinceAtMs"] }
        : null,
    currentAtMs: numberOr(shard["currentAtMs"], null),
    leaderHeardAtMs: numberOr(shard["leaderHeardAtMs"], null),
    counters: countersOf(shard["counters"]),
  };
}

function countersOf(value: unknown): SavedCounters | null {
  if (!isRecord(value)) return null;
  const { scansTotal, healedTotal, resetsSaved } = value;
  const { rescannedTotal, replacedTotal, skippedTotal } = value;
  if (!isCount(scansTotal) || !isCount(healedTotal) || !isCount(resetsSaved)) return null;
  if (!isDigits(rescannedTotal) || !isDigits(replacedTotal) || !isDigits(skippedTotal)) return null;
  return { scansTotal, healedTotal, rescannedTotal, replacedTotal, skippedTotal, resetsSaved };
}

/** What is not ours, as long as it is not more than it may be. */
function othersOf(value: Fields, shards: readonly Fields[]): FollowerState["others"] {
  const top = without(value, TOP_FIELDS);
  const byShard = new Map<number, Fields>();
  for (const shard of shards) {
    const others = without(shard, SHARD_FIELDS);
    const number = numberOr(shard["shard"], null);
    if (number !== null && Object.keys(others).length > 0) byShard.set(number, others);
  }
  const bytes = jsonBytes([top, ...byShard.values()]);
  return bytes > OTHERS_BYTES_MAX ? NO_OTHERS : { top, shards: byShard };
}

/** Length as JSON; infinite for what is nested deeper than it can be written, though it could be read. */
function jsonBytes(value: unknown): number {
  try {
    return JSON.stringify(value).length;
  } catch (thrown) {
    if (thrown instanceof RangeError) return Number.POSITIVE_INFINITY;
    throw thrown;
  }
}

function without(value: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
}

function isDivergedSlot(value: unknown): value is SavedDivergedSlot {
  if (!Array.isArray(value) || value.length !== 4) return false;
  const [slot, kind, here, there] = value as unknown[];
  const isKind = kind === "older" || kind === "same-version" || kind === "missing";
  return isKind && isWord(slot) && isWord(here) && (there === null || isWord(there));
}

function isWord(value: unknown): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isCount(value: unknown): value is number {
  return isNumber(value) && value >= 0;
}

function isDigits(value: unknown): value is string {
  return typeof value === "string" && /^\d{1,20}$/.test(value);
}

function numberOr(value: unknown, otherwise: number | null): number | null {
  return isNumber(value) ? value : otherwise;
}
