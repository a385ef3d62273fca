// Which geometry a directory really has when its files do not all agree: key and value length by majority of the
// headers, shard count and prefix bits from db.meta unless the keys say otherwise. Used by look/database-look.ts and repair.
// Pure but for the key samples. Promises: sound files are taken at their word.

import { SHARD_HEADER_BYTES, shardFileBytes } from "../../format/shard-header.ts";
import { shardOfKey } from "../../format/routing.ts";
import type { SlotLayout } from "../../format/slot.ts";
import { slotSizeOf } from "../../format/slot.ts";
import type { Disk } from "../../io/disk.ts";
import { SHARDS_MAX } from "../../limits.ts";
import type { MetaLook, ShardLook } from "./looks.ts";
import { type KeySample, sampleKeys } from "./key-sample.ts";

/** Shard count and prefix bits in force. */
export interface RoutingDecision {
  readonly shardCount: number;
  readonly shardPrefixBits: number;
  /** meta: db.meta is believed. keys: the live keys prove other values. directories: counted, nothing else is known. */
  readonly source: "meta" | "keys" | "directories";
  /** False: no value routes the sampled keys, or none was to be had (then 0 is assumed): routing is not checked. */
  readonly bitsKnown: boolean;
}

/**
 * Key length, value length and slot size that most headers agree on. Where only damaged headers are left, the one
 * is taken whose crcs come out right.
 */
export function decideLayout(
  disk: Disk,
  meta: MetaLook,
  looks: readonly ShardLook[],
): SlotLayout | null {
  const votes = new Map<string, { layout: SlotLayout; count: number }>();
  for (const { header, headerFault } of looks) {
    // A wrong magic or version says nothing against the lengths, as long as they fit each other.
    if (header === null || headerFault === "slot-size" || !isConsistent(header)) continue;
    const { keyLen, valueLen, slotSize } = header;
    const name = `${keyLen}/${valueLen}/${slotSize}`;
    const vote = votes.get(name) ?? { layout: { keyLen, valueLen, slotSize }, count: 0 };
    votes.set(name, { ...vote, count: vote.count + 1 });
  }
  const ranked = [...votes.values()].sort((left, right) => right.count - left.count);
  const [first, second] = ranked;
  if (first !== undefined && first.count !== second?.count) return first.layout;
  const candidates = ranked.length > 0 ? ranked.map((vote) => vote.layout) : guessLayouts(looks);
  return bestByCrc(disk, meta, looks, candidates) ?? first?.layout ?? null;
}

function isConsistent(header: SlotLayout): boolean {
  return header.keyLen > 0 && header.slotSize === slotSizeOf(header.keyLen, header.valueLen);
}

/** Layouts that a header with one wrong length may have meant. */
function guessLayouts(looks: readonly ShardLook[]): SlotLayout[] {
  const layouts: SlotLayout[] = [];
  for (const { header } of looks) {
    if (header === null || header.slotSize === 0) continue;
    const { keyLen, valueLen, slotSize } = header;
    if (keyLen > 0) layouts.push({ keyLen, valueLen, slotSize: slotSizeOf(keyLen, valueLen) });
    for (let dataBytes = slotSize - 8; dataBytes > slotSize - 16; dataBytes--) {
      if (dataBytes > keyLen && keyLen > 0) {
        layouts.push({ keyLen, valueLen: dataBytes - keyLen, slotSize });
      }
      if (dataBytes > valueLen) {
        layouts.push({ keyLen: dataBytes - valueLen, valueLen, slotSize });
      }
    }
  }
  return layouts;
}

/**
 * The layout under which most live slots at the start of the files have a right crc; of those, the one under which
 * db.meta routes most keys to where they are. Null when no slot has a right crc.
 */
function bestByCrc(
  disk: Disk,
  meta: MetaLook,
  looks: readonly ShardLook[],
  layouts: readonly SlotLayout[],
): SlotLayout | null {
  let best: SlotLayout | null = null;
  let bestScore = 0;
  for (const layout of layouts) {
    const sample = sampleKeys(disk, looks, layout);
    const { shardCount = 0, shardPrefixBits = 0 } = meta.fields ?? {};
    const astray = shardCount === 0 ? 0 : misrouted(sample, shardCount, shardPrefixBits);
    const score = sample.length * 2 - astray;
    if (score > bestScore) [best, bestScore] = [layout, score];
  }
  return best;
}

/** Slots that a shard's file is to be read with: its header's count, or from the file's length where that is lost. */
export function decideSlotCount(look: ShardLook, layout: SlotLayout): number {
  const bySize = Math.max(0, Math.floor((look.fileBytes - SHARD_HEADER_BYTES) / layout.slotSize));
  if (look.header === null || isHeaderLost(look)) return bySize;
  return look.header.slotCount;
}

/** True when nothing in the header can be believed: its magic is wrong, and its size fields do not give the file's length. */
export function isHeaderLost(look: ShardLook): boolean {
  const { header } = look;
  if (header === null) return true;
  if (look.headerFault !== "magic") return false;
  return (
    !isConsistent(header) || shardFileBytes(header.slotCount, header.slotSize) !== look.fileBytes
  );
}

/** Shard count and prefix bits, and why (see RoutingDecision). */
export function decideRouting(
  disk: Disk,
  meta: MetaLook,
  looks: readonly ShardLook[],
  layout: SlotLayout | null,
): RoutingDecision {
  const counted = looks.findLastIndex((look) => look.directory.facts !== null) + 1;
  const stated = meta.fields !== null && meta.fields.shardCount > 0 ? meta.fields : null;
  const sample = layout === null ? [] : sampleKeys(disk, looks, layout);
  if (
    stated !== null &&
    isMetaUsable(meta) &&
    fits(sample, stated.shardCount, stated.shardPrefixBits)
  ) {
    if (sample.length === 0 && isCountDoubtful(looks, stated.shardCount, counted)) {
      return {
        shardCount: counted,
        shardPrefixBits: stated.shardPrefixBits,
        source: "directories",
        bitsKnown: true,
      };
    }
    return {
      shardCount: stated.shardCount,
      shardPrefixBits: stated.shardPrefixBits,
      source: "meta",
      bitsKnown: true,
    };
  }
  const proven = searchRouting(sample, layout, stated, counted);
  if (proven !== null) return proven;
  const isStated = stated !== null && isMetaUsable(meta);
  return {
    shardCount: isStated ? stated.shardCount : Math.max(counted, 1),
    shardPrefixBits: isStated ? stated.shardPrefixBits : 0,
    source: isStated ? "meta" : "directories",
    bitsKnown: isStated || counted <= 1,
  };
}

/** A wrong magic, version or backend byte says nothing against the count and the bits. */
function isMetaUsable(meta: MetaLook): boolean {
  return (
    meta.fault === null ||
    meta.fault === "magic" ||
    meta.fault === "version" ||
    meta.fault === "backend"
  );
}

/** Without a key to prove it: several directories missing at the end, or some past the count, are rather a wrong count. */
function isCountDoubtful(looks: readonly ShardLook[], stated: number, counted: number): boolean {
  const found = looks.filter((look) => look.directory.facts !== null);
  if (counted === 0 || found.length !== counted) return false;
  const past = looks.slice(stated, counted).filter((look) => look.header?.shardId === look.shard);
  return stated > counted + 1 || past.length > 0;
}

/** Share of sampled keys that may be misrouted before the routing itself is doubted. */
const MISROUTED_SHARE_MAX = 0.2;

function fits(sample: readonly KeySample[], shardCount: number, bits: number): boolean {
  return misrouted(sample, shardCount, bits) <= sample.length * MISROUTED_SHARE_MAX;
}

/**
 * Keys that do not lie where most of their file's keys belong. Each file is taken for the shard that most of its keys
 * route to, no two files for the same one: so files that were swapped do not speak against the routing.
 */
function misrouted(sample: readonly KeySample[], shardCount: number, bits: number): number {
  const tallies = new Map<number, number>();
  for (const { key, shard } of sample) {
    const pair = shard * SHARDS_MAX + shardOfKey(key, shardCount, bits);
    tallies.set(pair, (tallies.get(pair) ?? 0) + 1);
  }
  const files = new Set<number>();
  const homes = new Set<number>();
  let atHome = 0;
  for (const [pair, count] of [...tallies].sort(([, left], [, right]) => right - left)) {
    const file = Math.floor(pair / SHARDS_MAX);
    const home = pair % SHARDS_MAX;
    if (files.has(file) || homes.has(home)) continue;
    files.add(file);
    homes.add(home);
    atHome += count;
  }
  return sample.length - atHome;
}

interface Candidate {
  readonly shardCount: number;
  readonly bits: number;
  readonly misrouted: number;
}

/** Tries every prefix length under each likely count; null when none routes the keys beyond chance. */
function searchRouting(
  sample: readonly KeySample[],
  layout: SlotLayout | null,
  stated: { readonly shardCount: number; readonly shardPrefixBits: number } | null,
  counted: number,
): RoutingDecision | null {
  if (layout === null || sample.length === 0) return null;
  const counts = new Set([counted, stated?.shardCount ?? counted].filter((count) => count > 0));
  const bitsMax = Math.min(255, layout.keyLen * 8 - 1);
  const candidates: Candidate[] = [];
  for (const shardCount of counts) {
    for (let bits = 0; bits <= bitsMax; bits++) {
      const wrong = misrouted(sample, shardCount, bits);
      if (wrong <= sample.length * MISROUTED_SHARE_MAX)
        candidates.push({ shardCount, bits, misrouted: wrong });
    }
  }
  // By chance n keys fit one candidate with probability count^-n: ask for a margin of 2^7 over all that were tried.
  // The first key of a file says which shard it is taken for, and so proves nothing.
  const files = new Set(sample.map(({ shard }) => shard)).size;
  const isProof = (candidate: Candidate) =>
    candidate.shardCount === 1 ||
    (sample.length - files - candidate.misrouted) * Math.log2(candidate.shardCount) >=
      Math.log2(bitsMax + 1) + 7;
  const statedBits = stated?.shardPrefixBits ?? 0;
  const best = candidates.filter(isProof).sort((left, right) => {
    return (
      left.misrouted - right.misrouted ||
      preference(left.bits, statedBits) - preference(right.bits, statedBits)
    );
  })[0];
  if (best === undefined) return null;
  return {
    shardCount: best.shardCount,
    shardPrefixBits: best.bits,
    source: "keys",
    bitsKnown: true,
  };
}

/** Of values that all route the keys: what is stated, the whole key, one flipped bit away, whole bytes, the rest. */
function preference(bits: number, stated: number): number {
  if (bits === stated) return 0;
  if (bits === 0) return 1;
  const flipped = bits ^ stated;
  if ((flipped & (flipped - 1)) === 0) return 2;
  return bits % 8 === 0 ? 3 : 4 + bits / 1000;
}
