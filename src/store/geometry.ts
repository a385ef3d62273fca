// What all shards of a database share, and how two of them differ.

import { type SlotLayout, slotLayout } from "../format/slot.ts";

export interface Geometry {
  readonly shardCount: number;
  /** 0 routes by the whole key. */
  readonly shardPrefixBits: number;
  readonly keyLen: number;
  readonly valueLen: number;
}

export function layoutOf(geometry: Geometry): SlotLayout {
  return slotLayout(geometry.keyLen, geometry.valueLen);
}

/** The fields in which two geometries differ, as text with both sides; empty when they are the same. */
export function geometryDifferences(
  here: Geometry,
  there: Geometry,
  hereName: string,
  thereName: string,
): string[] {
  const rows: readonly (readonly [string, number, number])[] = [
    ["shard count", here.shardCount, there.shardCount],
    ["shard prefix bits", here.shardPrefixBits, there.shardPrefixBits],
    ["key length", here.keyLen, there.keyLen],
    ["value length", here.valueLen, there.valueLen],
  ];
  return rows
    .filter(([, left, right]) => left !== right)
    .map(([name, left, right]) => `${name} is ${left} ${hereName} and ${right} ${thereName}`);
}
