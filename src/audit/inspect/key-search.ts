// Finds every slot of some shards that holds a key, live or not. Used by `inspect key`. Promises: reads each shard once, a chunk at
// a time, and compares bytes, no index is trusted; what could not be read is told with the slots that it hides; memory for
// SLOTS_LISTED_MAX slots, whatever the files hold.

import { SHARD_HEADER_BYTES, slotOffset } from "../../format/shard-header.ts";
import { SLOT_KEY_OFFSET } from "../../format/slot.ts";
import type { Clock } from "../../io/clock.ts";
import type { Disk } from "../../io/disk.ts";
import { OrderedReader } from "../../io/ordered-reader.ts";
import { tryDisk } from "../look/file-look.ts";
import { Stopped } from "../stopped.ts";
import { type Task, taskFor } from "../task.ts";
import { type DatabaseDirectory, type ShardLook, slotCountOf } from "../look/database-look.ts";
import { type ReadableShard, readableShard, type SlotView, viewSlot } from "./slot-view.ts";

/** A key that lies in more slots than this is counted, not listed. */
const SLOTS_LISTED_MAX = 1_000;

/** A slot with the key. */
export interface KeySlot {
  readonly shard: ReadableShard;
  readonly view: SlotView;
}

/** What a search came to; never-used slots are left out. */
export interface KeySearchResult {
  /** The first of them, by shard and slot. */
  readonly listed: readonly KeySlot[];
  readonly slotsTotal: number;
  readonly liveTotal: number;
  /** The last live one, which FixedMap serves (format.md: last section). */
  readonly live: KeySlot | null;
  /** The last live one of each shard that has one. */
  readonly liveByShard: readonly KeySlot[];
  readonly hasDamaged: boolean;
  /** Slots that were to be searched, and those that were: fewer where it was stopped or a place could not be read. */
  readonly slotsWanted: number;
  readonly slotsSearched: number;
  /** Why places could not be read, the first one; null: none failed. */
  readonly unreadable: string | null;
  /** Every slot was searched: only then a key that was not found is not there. */
  readonly isWhole: boolean;
}

export interface KeySearchTools {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly stop: AbortSignal;
  /** Null: as fast as it goes. */
  readonly bytesPerSecond: number | null;
}

/** True for a slot that serves its record. */
function isLive(view: SlotView): boolean {
  return view.statusName === "occupied" && view.crcMatches;
}

/** One search, over one shard after another. */
export class KeySearch {
  readonly #tools: KeySearchTools;
  readonly #key: Uint8Array;
  readonly #task: Task;
  readonly #listed: KeySlot[] = [];
  readonly #live = new Map<number, KeySlot>();
  #slotsTotal = 0;
  #liveTotal = 0;
  #hasDamaged = false;
  #slotsWanted = 0;
  #slotsSearched = 0;
  #unreadable: string | null = null;

  constructor(tools: KeySearchTools, key: Uint8Array) {
    this.#tools = tools;
    this.#key = key;
    this.#task = taskFor(tools.clock, tools.stop, tools.bytesPerSecond);
  }

  /** Searches all slots of a shard, until it is stopped. Throws `damaged` where no header says how long its slots are. */
  async search(directory: DatabaseDirectory, look: ShardLook): Promise<void> {
    const slotCount = slotCountOf(directory, look);
    this.#slotsWanted += slotCount;
    const { disk } = this.#tools;
    const [opened, error] = tryDisk(() => {
      const shard = readableShard(directory, look);
      return { shard, file: disk.open(look.data.path, "read") };
    });
    if (error !== null) return this.#noteUnreadable(look, error.errno);
    const { shard, file } = opened;
    try {
      await this.#searchFile(shard, new OrderedReader(file, this.#tools.clock), slotCount);
    } catch (thrown) {
      if (!(thrown instanceof Stopped)) throw thrown;
    } finally {
      file.close();
    }
  }

  async #searchFile(shard: ReadableShard, reader: OrderedReader, slotCount: number): Promise<void> {
    const { look, layout } = shard;
    const { slotSize } = layout;
    const inFile = Math.floor((look.fileBytes - SHARD_HEADER_BYTES) / slotSize);
    const held = Math.max(0, Math.min(slotCount, inFile));
    if (held < slotCount) this.#noteUnreadable(look, "it ends before its last slot");
    const part = this.#task.part({
      ...({ name: "search", shard: look.shard } as const),
      ...{ unitBytes: slotSize, totalBytes: held * slotSize },
    });
    const end = slotOffset(held, slotSize);
    for await (const chunk of this.#task.chunks(part, reader, SHARD_HEADER_BYTES, end)) {
      if (chunk.kind === "unreadable") this.#noteUnreadable(look, chunk.reason);
      else this.#look(shard, chunk.offset, chunk.bytes);
    }
  }

  get result(): KeySearchResult {
    const liveByShard = [...this.#live.values()];
    return {
      listed: this.#listed,
      slotsTotal: this.#slotsTotal,
      liveTotal: this.#liveTotal,
      live: liveByShard.at(-1) ?? null,
      liveByShard,
      hasDamaged: this.#hasDamaged,
      slotsWanted: this.#slotsWanted,
      slotsSearched: this.#slotsSearched,
      unreadable: this.#unreadable,
      isWhole: this.#unreadable === null && this.#slotsSearched === this.#slotsWanted,
    };
  }

  /** Whole slots from this place of the file on. */
  #look(shard: ReadableShard, offset: number, bytes: Uint8Array): void {
    const { slotSize } = shard.layout;
    const first = (offset - SHARD_HEADER_BYTES) / slotSize;
    this.#slotsSearched += bytes.length / slotSize;
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (const index of slotsWithKey(chunk, slotSize, this.#key)) {
      const image = new Uint8Array(chunk.subarray(index * slotSize, (index + 1) * slotSize));
      this.#add({ shard, view: viewSlot(image, shard, first + index) });
    }
  }

  #add(found: KeySlot): void {
    const { shard, view } = found;
    if (view.isNeverUsed) return;
    this.#slotsTotal += 1;
    this.#hasDamaged ||= view.isDamaged;
    if (this.#listed.length < SLOTS_LISTED_MAX) this.#listed.push(found);
    if (!isLive(view)) return;
    this.#liveTotal += 1;
    this.#live.set(shard.look.shard, found);
  }

  #noteUnreadable({ data }: ShardLook, why: string): void {
    this.#unreadable ??= `${data.name} cannot be read: ${why}`;
  }
}

/** Indexes of the slots in a chunk whose key field holds these bytes. */
function* slotsWithKey(chunk: Buffer, slotSize: number, key: Uint8Array): Generator<number> {
  let from = SLOT_KEY_OFFSET;
  for (;;) {
    const at = chunk.indexOf(key, from);
    if (at === -1) return;
    const index = Math.floor((at - SLOT_KEY_OFFSET) / slotSize);
    const place = index * slotSize + SLOT_KEY_OFFSET;
    if (at === place && (index + 1) * slotSize <= chunk.length) yield index;
    from = place + slotSize;
  }
}
