// Holds two data files of one shard against each other, slot by slot, by format.md alone: what a whole scan of `there` must
// find in `here` that is other and not older. Shares no code with the follower that it judges.

export interface SlotShape {
  readonly key: number;
  readonly value: number;
}

export interface ExpectedDifference {
  readonly slot: number;
  /** In the words of `armdb compare`, said of `here`. */
  readonly kind: "newer" | "value" | "status" | "extra";
}

const HEADER_BYTES = 4096;
const FREE = 0;
const OCCUPIED = 1;
const VERSIONS = 2 ** 30;

/** Bytes of a slot of records of this shape. */
export function slotBytes(shape: SlotShape): number {
  return Math.ceil((8 + shape.key + shape.value) / 8) * 8;
}

/** Slots of `here` that a leader with `there` cannot bring and would not explain. `takesEqual`: protocol 2. */
export function divergedSlots(
  here: Buffer,
  there: Buffer,
  shape: SlotShape,
  takesEqual: boolean,
): ExpectedDifference[] {
  const bytes = slotBytes(shape);
  const differences: ExpectedDifference[] = [];
  for (let slot = 0; HEADER_BYTES + (slot + 1) * bytes <= here.length; slot++) {
    const at = HEADER_BYTES + slot * bytes;
    const ours = here.subarray(at, at + bytes);
    const theirs = there.subarray(at, at + bytes);
    const kind = kindOf(ours, theirs, takesEqual);
    if (kind !== null) differences.push({ slot, kind });
  }
  return differences;
}

function kindOf(
  ours: Buffer,
  theirs: Buffer,
  takesEqual: boolean,
): ExpectedDifference["kind"] | null {
  const word = ours.readUInt32LE(0);
  const leaderWord = theirs.length === 0 ? 0 : theirs.readUInt32LE(0);
  if ((leaderWord & 3) === FREE) return (word & 3) === OCCUPIED ? "extra" : null;
  const ahead = ((word >>> 2) - (leaderWord >>> 2) + VERSIONS) % VERSIONS;
  if (word === 0 || ahead >= VERSIONS / 2) return null;
  if (ahead > 0) return "newer";
  if (takesEqual) return null;
  if (word !== leaderWord) return "status";
  return (word & 3) === OCCUPIED && !ours.equals(theirs) ? "value" : null;
}
