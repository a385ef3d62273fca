// The directories and recordings that the real crate left (test/fixtures), and what expected.json says of them. Tests copy a
// directory before they change anything.

import { readFileSync } from "node:fs";
import { join } from "node:path";

export const FIXTURE_NAMES = [
  "8x16-2-shards",
  "4x3-3-shards-padded",
  "16x100-4-shards-prefix-12",
  "32x1000-1-shard",
] as const;
export type FixtureName = (typeof FIXTURE_NAMES)[number];

/** Where each state of a fixture lies, by its name in expected.json. */
export const FIXTURE_STATES = {
  leaderDirty: "leader-dirty",
  leaderClean: "leader-clean",
  followerClean: "follower-clean",
} as const;
export type FixtureState = keyof typeof FIXTURE_STATES;

/** A slot that is not all zeros. */
export interface ExpectedSlot {
  readonly slot: number;
  readonly status: "free" | "occupied" | "deleted";
  readonly version: number;
  readonly crc32: string;
  readonly crcMatches: boolean;
  readonly key: string;
  readonly value: string;
}

export interface ExpectedShard {
  readonly magic: string;
  readonly version: number;
  readonly slotSize: number;
  readonly slotCount: number;
  readonly keyLen: number;
  readonly valueLen: number;
  readonly shardId: number;
  readonly cleanShutdown: number;
  readonly fileBytes: number;
  readonly slots: readonly ExpectedSlot[];
}

/** Of the live pairs in the order of their keys. */
export interface ExpectedDigest {
  readonly len: number;
  readonly iterated: number;
  readonly digest: string;
}

export interface Expected extends Readonly<Record<FixtureState, readonly ExpectedShard[]>> {
  readonly shards: number;
  readonly shardPrefixBits: number;
  readonly dirtyDigest: ExpectedDigest;
  readonly cleanDigest: ExpectedDigest;
}

const ROOT = join(import.meta.dir, "../fixtures");

export function fixtureExpected(name: FixtureName): Expected {
  return JSON.parse(readFileSync(join(ROOT, name, "expected.json"), "utf8")) as Expected;
}

export function fixtureDir(name: FixtureName, state: FixtureState): string {
  return join(ROOT, name, FIXTURE_STATES[state]);
}

export type RecordingKind = "catchup" | "catchup-empty" | "stream";

/** What the real leader sent: with flags 0, with flags 1, and the live events after it. */
export function fixtureRecording(
  name: FixtureName,
  shard: number,
  kind: RecordingKind,
): Uint8Array {
  return new Uint8Array(readFileSync(join(ROOT, name, `shard${shard}-${kind}.bin`)));
}
