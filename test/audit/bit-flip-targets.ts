// What bit-flips.test.ts flips, and why a flip may go unseen.

import { SampleDatabase, type Shape, type State } from "./sample-databases.ts";

const DATA = "shard_000/fixed.data";

export interface Field {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
}

/** Something whose bits are flipped. */
export interface Target {
  /** As the document calls it. */
  readonly name: string;
  readonly shape: Shape;
  readonly state: State;
  readonly file: string;
  readonly offset: number;
  readonly fields: readonly Field[];
  prepare?(db: SampleDatabase): void;
}

const META_FIELDS: readonly Field[] = [
  { name: "magic", offset: 0, bytes: 4 },
  { name: "version", offset: 4, bytes: 1 },
  { name: "backend", offset: 5, bytes: 1 },
  { name: "shard_count", offset: 6, bytes: 1 },
  { name: "shard_prefix_bits", offset: 7, bytes: 1 },
  { name: "flags", offset: 8, bytes: 1 },
  { name: "reserved", offset: 9, bytes: 7 },
];

const HEADER_FIELD_LIST: readonly Field[] = [
  { name: "magic", offset: 0, bytes: 4 },
  { name: "version", offset: 4, bytes: 2 },
  { name: "slot_size", offset: 6, bytes: 2 },
  { name: "slot_count", offset: 8, bytes: 4 },
  { name: "key_len", offset: 12, bytes: 2 },
  { name: "value_len", offset: 14, bytes: 2 },
  { name: "shard_id", offset: 16, bytes: 1 },
  { name: "clean_shutdown", offset: 17, bytes: 1 },
];

function slotFields(keyLen: number, valueLen: number, slotSize: number): Field[] {
  const fields = [
    { name: "meta", offset: 0, bytes: 4 },
    { name: "crc32", offset: 4, bytes: 4 },
    { name: "key", offset: 8, bytes: keyLen },
    { name: "value", offset: 8 + keyLen, bytes: valueLen },
  ];
  const end = 8 + keyLen + valueLen;
  return end === slotSize
    ? fields
    : [...fields, { name: "padding", offset: end, bytes: slotSize - end }];
}

const SHAPES_FLIPPED = [
  { shape: "8x16-2-shards", fields: slotFields(8, 16, 32), slotSize: 32 },
  { shape: "4x3-3-shards-padded", fields: slotFields(4, 3, 16), slotSize: 16 },
] as const;

/** The first slot of shard 0 with this status. */
function slotOfStatus(shape: Shape, state: State, slotSize: number, status: number): number {
  using db = new SampleDatabase(shape, state);
  const bytes = db.read(DATA);
  for (let slot = 0; ; slot++)
    if ((bytes.readUInt8(4096 + slot * slotSize) & 3) === status) return slot;
}

export function slotTargets(): Target[] {
  return SHAPES_FLIPPED.flatMap(({ shape, fields, slotSize }) =>
    (["leader-dirty", "leader-clean"] as const).flatMap((state) => {
      const at = (slot: number) => ({
        shape,
        state,
        file: DATA,
        fields,
        offset: 4096 + slot * slotSize,
      });
      const count = new SampleDatabase(shape, state);
      const lastSlot = (count.read(DATA).length - 4096) / slotSize - 1;
      count[Symbol.dispose]();
      const closed = state === "leader-clean" ? "closed clean" : "not closed clean";
      const targets: Target[] = [
        { ...at(slotOfStatus(shape, state, slotSize, 1)), name: `OCCUPIED slot, ${closed}` },
        { ...at(slotOfStatus(shape, state, slotSize, 2)), name: `DELETED slot, ${closed}` },
        { ...at(lastSlot), name: `never-used slot, ${closed}` },
      ];
      if (state === "leader-dirty") {
        // As a follower holds a deleted slot that it never saw alive.
        const prepare = (db: SampleDatabase) =>
          db.change(DATA, (bytes) => bytes.writeUInt32LE((3 << 2) | 2, 4096 + lastSlot * slotSize));
        targets.push({
          ...at(lastSlot),
          name: "DELETED slot of a follower that never held it",
          prepare,
        });
      }
      return targets;
    }),
  );
}

export function headerTargets(): Target[] {
  return (["8x16-2-shards", "4x3-3-shards-padded", "16x100-4-shards-prefix-12"] as const).flatMap(
    (shape) =>
      (["leader-dirty", "leader-clean"] as const).map((state) => ({
        name: `header, ${state === "leader-clean" ? "closed clean" : "not closed clean"}`,
        shape,
        state,
        file: DATA,
        offset: 0,
        fields: HEADER_FIELD_LIST,
      })),
  );
}

export function metaTargets(): Target[] {
  const of = (shape: Shape, name: string) => ({
    name,
    shape,
    state: "leader-dirty" as const,
    file: "db.meta",
    offset: 0,
    fields: META_FIELDS,
  });
  return [
    of("8x16-2-shards", "db.meta, several shards"),
    of("4x3-3-shards-padded", "db.meta, several shards"),
    of("16x100-4-shards-prefix-12", "db.meta, several shards, prefix bits"),
    of("32x1000-1-shard", "db.meta, one shard"),
  ];
}

/** Why a bit cannot be found, or is a note only. A row without a reason fails the test. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [
    /^DELETED slot of a follower.*\| nothing/,
    "a follower keeps whatever key, value and crc it had: nothing says what they should be (format.md: Slot)",
  ],
  [
    /\| meta \| note .*slot-free/,
    "the record has become a free slot that is not empty: legal after a reset or a migration, so a note",
  ],
  [
    /^DELETED.*\| note .*slot-deleted-crc/,
    "nothing reads key and value of a deleted slot, and on a follower they may be anything",
  ],
  [/^DELETED.*\| (meta|crc32|key|value)/, "nothing reads key and value of a deleted slot"],
  [
    /^never-used.*\| note/,
    "nothing reads a free slot; from 0.11.2 on a migration may leave bytes or a version there",
  ],
  [/\| padding \|/, "nothing reads the padding"],
  [
    /^header.*\| clean_shutdown \|/,
    "at most one more scan at the next open: a clean flag is believed only with a sidecar whose crc is right",
  ],
  [
    /^db\.meta.*\| (flags|reserved) \|/,
    "the crate ignores them before 0.3.0 and refuses the database from then on",
  ],
  [
    /^db\.meta, one shard \| shard_prefix_bits \|/,
    "all keys belong to the one shard whatever the bits are",
  ],
  [
    /^db\.meta, several shards.*\| shard_prefix_bits \| nothing/,
    "bits at or past the key's length route by the whole key, as 0 does",
  ],
];

export function reasonOf(row: string): string {
  const reason = REASONS.find(([pattern]) => pattern.test(row));
  if (reason === undefined) throw new Error(`no reason is known for: ${row}`);
  return reason[1];
}
