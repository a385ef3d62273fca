// The recorded directories and wire bytes of the real crate (test/fixtures), for the tests of src/serve.

import { readFileSync } from "node:fs";
import { join } from "node:path";

export const FIXTURES = [
  "8x16-2-shards",
  "4x3-3-shards-padded",
  "16x100-4-shards-prefix-12",
  "32x1000-1-shard",
] as const;
export type FixtureName = (typeof FIXTURES)[number];
export type FixtureState = "leader-clean" | "leader-dirty" | "follower-clean";

const ROOT = join(import.meta.dir, "../fixtures");

export interface FixtureSlot {
  readonly slot: number;
  readonly status: "free" | "occupied" | "deleted";
  readonly version: number;
  readonly crcMatches?: boolean;
  readonly key?: string;
  readonly value?: string;
}

export interface FixtureShard {
  readonly slotCount: number;
  readonly slotSize: number;
  readonly keyLen: number;
  readonly valueLen: number;
  readonly slots: readonly FixtureSlot[];
}

export interface FixtureExpected {
  readonly shards: number;
  readonly shardPrefixBits: number;
  readonly leaderDirty: readonly FixtureShard[];
  readonly leaderClean: readonly FixtureShard[];
}

/** A fixture's directory. Tests copy it before they change anything. */
export function fixtureDirectory(name: FixtureName, state: FixtureState): string {
  return join(ROOT, name, state);
}

/** What the real leader sent on one connection. */
export function fixtureRecording(name: FixtureName, file: string): Uint8Array {
  return new Uint8Array(readFileSync(join(ROOT, name, file)));
}

export function fixtureExpected(name: FixtureName): FixtureExpected {
  return JSON.parse(readFileSync(join(ROOT, name, "expected.json"), "utf8")) as FixtureExpected;
}
