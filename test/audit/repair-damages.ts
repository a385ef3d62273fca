// Kinds of damage, each done to a copy of a directory that the real crate wrote, and what a repair makes of them.

import { rmSync, truncateSync, writeFileSync } from "node:fs";
import { viewOf } from "../../src/bytes.ts";
import { CURSOR_FILE } from "../../src/format/cursor.ts";
import { shardDirectory } from "../../src/format/routing.ts";
import { slotOffset } from "../../src/format/shard-header.ts";
import { decodeSlot, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { encodeSidecar, SIDECAR_FILE } from "../../src/format/versions-sidecar.ts";
import type { DatabaseFiles } from "./repair-support.ts";

export interface Damage {
  readonly name: string;
  /** Kinds that verify must report, at least. */
  readonly findings: readonly string[];
  harm(copy: DatabaseFiles): void;
  /** Without a source: mended, or left; by state where it differs. */
  readonly local:
    | "mended"
    | "left"
    | { readonly leader: "mended" | "left"; readonly follower: "mended" | "left" };
  /** Only directories with a cursor can have it. */
  readonly followerOnly?: boolean;
  /** The contents after a local repair are the same as before the damage. */
  readonly keepsContents?: boolean;
  /** It puts a record there that is newer than the leader's: no repair takes it for wrong. */
  readonly isForged?: boolean;
  readonly shardsMin?: number;
}

function flip(copy: DatabaseFiles, path: string, offset: number, mask = 1): void {
  const bytes = new Uint8Array(Bun.mmap(path, { shared: false }).slice(offset, offset + 1));
  copy.poke(path, offset, [(bytes[0] ?? 0) ^ mask]);
}

function liveSlots(copy: DatabaseFiles, shard: number): number[] {
  return copy.slotsOf(shard, STATUS_OCCUPIED);
}

function nthLive(copy: DatabaseFiles, shard: number, index: number): number {
  return liveSlots(copy, shard).at(index) ?? 0;
}

export const DAMAGES: readonly Damage[] = [
  {
    name: "db.meta is missing",
    findings: ["meta-missing"],
    harm: (copy) => rmSync(`${copy.path}/db.meta`),
    local: "mended",
    keepsContents: true,
  },
  {
    name: "db.meta is cut short",
    findings: ["meta-size"],
    harm: (copy) => truncateSync(`${copy.path}/db.meta`, 5),
    local: "mended",
    keepsContents: true,
  },
  {
    name: "db.meta is too long",
    findings: ["meta-size"],
    harm: (copy) => copy.poke(`${copy.path}/db.meta`, 16, [1, 2, 3]),
    local: "mended",
    keepsContents: true,
  },
  {
    name: "the magic of db.meta is wrong",
    findings: ["meta-magic"],
    harm: (copy) => flip(copy, `${copy.path}/db.meta`, 2),
    local: "mended",
    keepsContents: true,
  },
  {
    name: "the prefix bits of db.meta are wrong",
    findings: ["meta-prefix-bits"],
    harm: (copy) => flip(copy, `${copy.path}/db.meta`, 7, 4),
    local: "mended",
    keepsContents: true,
    shardsMin: 2,
  },
  {
    name: "a header page is all zeros",
    findings: ["header-magic"],
    harm: (copy) => copy.poke(copy.file(1), 0, new Uint8Array(4096)),
    local: "mended",
    keepsContents: true,
    shardsMin: 2,
  },
  {
    name: "a header page is garbage",
    findings: ["header-magic"],
    harm: (copy) => copy.poke(copy.file(1), 0, new Uint8Array(4096).fill(0xa5)),
    local: "mended",
    keepsContents: true,
    shardsMin: 2,
  },
  {
    name: "the key length in a header is wrong",
    findings: ["header-geometry"],
    harm: (copy) => flip(copy, copy.file(1), 12),
    local: "mended",
    keepsContents: true,
    shardsMin: 2,
  },
  {
    name: "the shard id in a header is wrong",
    findings: ["header-shard-id"],
    harm: (copy) => flip(copy, copy.file(0), 16, 0x40),
    local: "mended",
    keepsContents: true,
  },
  {
    name: "the format version in a header is wrong",
    findings: ["header-version"],
    harm: (copy) => flip(copy, copy.file(1), 4, 4),
    local: "mended",
    keepsContents: true,
    shardsMin: 2,
  },
  {
    name: "the slot count hides records",
    findings: ["header-geometry"],
    harm: (copy) => copy.poke(copy.file(0), 8, [3, 0, 0, 0]),
    local: "mended",
    keepsContents: true,
  },
  {
    name: "the end of a file is cut off in the middle of a slot",
    findings: ["file-short"],
    harm: (copy) => {
      const slot = nthLive(copy, 0, -2);
      truncateSync(copy.file(0), slotOffset(slot, copy.layout.slotSize) + 13);
    },
    local: "mended",
  },
  {
    name: "a value has a flipped bit",
    findings: ["slot-crc"],
    harm: (copy) => {
      const { keyLen, slotSize } = copy.layout;
      flip(copy, copy.file(0), slotOffset(nthLive(copy, 0, 3), slotSize) + 8 + keyLen);
    },
    local: "mended",
  },
  {
    name: "a version has a flipped high bit",
    findings: ["slot-crc"],
    harm: (copy) =>
      flip(copy, copy.file(0), slotOffset(nthLive(copy, 0, 2), copy.layout.slotSize) + 3, 0x10),
    local: "mended",
  },
  {
    name: "a status is 3",
    findings: ["slot-status"],
    harm: (copy) =>
      flip(copy, copy.file(0), slotOffset(nthLive(copy, 0, 1), copy.layout.slotSize), 2),
    local: "mended",
  },
  {
    name: "a block of slots is garbage",
    findings: ["slot-crc"],
    harm: (copy) => {
      const { slotSize } = copy.layout;
      const start = slotOffset(nthLive(copy, 0, 4), slotSize);
      copy.poke(copy.file(0), start + 3, new Uint8Array(slotSize * 3).fill(0x5d));
    },
    local: "mended",
  },
  {
    name: "a key lies in a foreign shard",
    findings: ["key-misrouted"],
    harm: (copy) => {
      const bytes = copy.slotBytes(1, nthLive(copy, 1, 2));
      copy.setSlot(0, nthLive(copy, 0, 2), bytes);
    },
    local: "mended",
    shardsMin: 2,
  },
  {
    name: "a key is live in two slots",
    findings: ["key-duplicate"],
    harm: (copy) => {
      const bytes = copy.slotBytes(0, nthLive(copy, 0, 2));
      copy.setSlot(0, nthLive(copy, 0, 5), bytes);
      // As after a crash: a sidecar would tell which of the two is wrong.
      copy.poke(copy.file(0), 17, [0]);
    },
    local: { leader: "left", follower: "mended" },
  },
  {
    name: "a sidecar hides a newer record",
    findings: ["sidecar-hides-slot"],
    harm: (copy) => {
      const slot = nthLive(copy, 0, 2);
      const { version } = decodeSlot(copy.slotBytes(0, slot), copy.layout);
      copy.rewrite(0, slot, version + 1, 9);
    },
    local: "mended",
    isForged: true,
  },
  {
    name: "a sidecar knows more than its slot",
    findings: ["sidecar-hides-slot"],
    harm: (copy) => raiseSidecar(copy, 0, nthLive(copy, 0, 2)),
    local: "mended",
  },
  {
    name: "a shard's file is missing",
    findings: ["shard-missing"],
    harm: (copy) => rmSync(copy.file(1)),
    local: "left",
    shardsMin: 2,
  },
  {
    name: "a shard's directory is missing",
    findings: ["shard-missing"],
    harm: (copy) => rmSync(`${copy.path}/${shardDirectory(1)}`, { recursive: true }),
    local: "left",
    shardsMin: 2,
  },
  {
    name: "a shard's file is empty",
    findings: ["file-short"],
    harm: (copy) => truncateSync(copy.file(1), 0),
    local: "left",
    shardsMin: 2,
  },
  {
    name: "a shard's file ends inside its header",
    findings: ["file-short"],
    harm: (copy) => truncateSync(copy.file(1), 100),
    local: "left",
    shardsMin: 2,
  },
  {
    name: "a cursor names another shard",
    findings: ["cursor-shard"],
    harm: (copy) => copy.poke(copy.file(0, CURSOR_FILE), 0, [7]),
    local: "mended",
    followerOnly: true,
    keepsContents: true,
  },
  {
    name: "a cursor is ahead of its shard",
    findings: ["cursor-ahead"],
    harm: (copy) => copy.poke(copy.file(0, CURSOR_FILE), 14, [3]),
    local: "mended",
    followerOnly: true,
    keepsContents: true,
  },
  {
    name: "a cursor contradicts itself",
    findings: ["cursor-totals"],
    harm: (copy) => copy.poke(copy.file(0, CURSOR_FILE), 4, new Uint8Array(8)),
    local: "mended",
    followerOnly: true,
    keepsContents: true,
  },
  {
    name: "everything at once",
    findings: ["meta-missing", "header-magic", "slot-crc"],
    harm: (copy) => {
      rmSync(`${copy.path}/db.meta`);
      copy.poke(copy.file(1), 0, new Uint8Array(4096));
      const { slotSize } = copy.layout;
      flip(copy, copy.file(0), slotOffset(nthLive(copy, 0, 3), slotSize) + 9);
      flip(copy, copy.file(1), slotOffset(nthLive(copy, 1, 3), slotSize) + 9);
    },
    local: "mended",
    shardsMin: 2,
  },
];

/** A good sidecar and a set clean flag, whose word for one slot is three versions past the slot. */
function raiseSidecar(copy: DatabaseFiles, shard: number, slot: number): void {
  const bytes = Bun.mmap(copy.file(shard), { shared: false });
  const { slotSize } = copy.layout;
  const view = viewOf(bytes);
  const words = new Uint32Array(Math.floor((bytes.length - 4096) / slotSize));
  for (let each = 0; each < words.length; each++) {
    words[each] = view.getUint32(slotOffset(each, slotSize), true);
  }
  words[slot] = (words[slot] ?? 0) + (3 << 2);
  writeFileSync(copy.file(shard, SIDECAR_FILE), encodeSidecar(words));
}
