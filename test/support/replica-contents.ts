// What a database directory holds, read straight from its files, also while somebody writes them. The digest is the oracle's
// own, so that a replica can be held against a leader of the real crate without opening it.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CURSOR_FILE, type CursorFields, decodeCursor } from "../../src/format/cursor.ts";
import { SIDECAR_FILE } from "../../src/format/versions-sidecar.ts";
import {
  decodeShardHeader,
  SHARD_FILE,
  type ShardHeaderFields,
  slotOffset,
} from "../../src/format/shard-header.ts";
import { decodeSlot, slotCrc, STATUS_OCCUPIED, statusOf } from "../../src/format/slot.ts";
import { type Digest, digestOf } from "./oracle.ts";
import { sidecarFault, sidecarWord } from "./sidecar.ts";

/** One shard's files. */
export class ShardContents {
  readonly header: ShardHeaderFields;
  readonly bytes: Buffer;
  /** Null: none, or too short. */
  readonly cursor: CursorFields | null;
  readonly sidecar: Buffer | null;

  constructor(directory: string) {
    this.bytes = readFileSync(join(directory, SHARD_FILE));
    const header = decodeShardHeader(this.bytes);
    if (header === null) throw new Error(`no header in ${directory}`);
    this.header = header;
    const cursor = read(join(directory, CURSOR_FILE));
    this.cursor = cursor === null ? null : decodeCursor(cursor);
    this.sidecar = read(join(directory, SIDECAR_FILE));
  }

  /** The meta word of every slot. */
  get words(): number[] {
    const { slotCount, slotSize } = this.header;
    return Array.from({ length: slotCount }, (_, slot) =>
      this.bytes.readUInt32LE(slotOffset(slot, slotSize)),
    );
  }

  /** The words up to the last that is not zero: equal for files that grew by other steps. */
  get usedWords(): number[] {
    const { words } = this;
    return words.slice(0, words.findLastIndex((word) => word !== 0) + 1);
  }

  /** True when a sidecar is there, sound, and says what the slots say. */
  get sidecarAgrees(): boolean {
    const { sidecar, header } = this;
    if (sidecar === null || sidecarFault(sidecar, header.slotCount) !== null) return false;
    return this.words.every((word, slot) => sidecarWord(sidecar, slot) === word);
  }

  /** Occupied slots whose crc is not that of their bytes. */
  get torn(): number[] {
    const torn: number[] = [];
    for (const { slot, image } of this.#occupied()) {
      if (slotCrc(image, this.header) !== image.readUInt32LE(4)) torn.push(slot);
    }
    return torn;
  }

  *records(): Generator<readonly [Uint8Array, Uint8Array]> {
    for (const { image } of this.#occupied()) {
      const { key, value } = decodeSlot(image, this.header);
      yield [key, value];
    }
  }

  *#occupied(): Generator<{ readonly slot: number; readonly image: Buffer }> {
    const { slotCount, slotSize } = this.header;
    for (let slot = 0; slot < slotCount; slot++) {
      const offset = slotOffset(slot, slotSize);
      if (statusOf(this.bytes.readUInt32LE(offset)) !== STATUS_OCCUPIED) continue;
      yield { slot, image: this.bytes.subarray(offset, offset + slotSize) };
    }
  }
}

/** All shards of a directory, by their number. */
export function shardsOf(dir: string): ShardContents[] {
  const names = readdirSync(dir).filter((name) => /^shard_\d{3}$/.test(name));
  return names.sort().map((name) => new ShardContents(join(dir, name)));
}

/** The oracle's digest of the files as they are. */
export function contentsDigest(dir: string): Digest {
  return digestOf(shardsOf(dir).flatMap((shard) => [...shard.records()]));
}

function read(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw thrown;
  }
}
