// What all scans of a command share: the stop, the throttle, the budget of findings, and for each shard how far it is. Used by
// scan/pool.ts, and by scan/scan-thread.ts in each thread over the same memory.

import { FindingBudget } from "../finding-list.ts";
import type { Clock } from "../../io/clock.ts";
import { type Part, type PartName, type PartSink, type Stop, Task, Throttle } from "../task.ts";
import * as data from "./data.ts";
import { readableSlots } from "./claims.ts";
import { slotOffset } from "../../format/shard-header.ts";
import { sidecarBytes } from "../../format/versions-sidecar.ts";

const PARTS: readonly PartName[] = ["sidecar", "slots", "tail", "again"];

/** How far the scan of one shard is. */
export interface ShardProgress {
  readonly shard: number;
  readonly bytesDone: number;
  /** All that is to be read, as far as it is known. */
  readonly bytes: number;
  readonly part: PartName;
  /** The files are read `parts` times; this is time `partNumber`. */
  readonly partNumber: number;
  readonly parts: number;
}

export class ScanRun {
  readonly shared: data.SharedRun;
  readonly throttle: Throttle;
  readonly #cells: Int32Array;
  readonly #clock: Clock;

  constructor(clock: Clock, bytesPerSecond: number | null, shared?: data.SharedRun) {
    this.#clock = clock;
    this.throttle = new Throttle(clock, bytesPerSecond, shared?.throttle);
    const cells = shared?.cells ?? new SharedArrayBuffer(data.RUN_CELLS_BYTES);
    this.#cells = new Int32Array(cells);
    if (shared === undefined) this.#cells[data.CELL_FINDINGS_LEFT] = FindingBudget.ENTRIES_MAX;
    const throttle = this.throttle.cells.buffer as SharedArrayBuffer;
    this.shared = { cells, throttle, bytesPerSecond };
  }

  /** Ends all scans. */
  end(): void {
    Atomics.store(this.#cells, data.CELL_STOP, 1);
  }

  get stop(): Stop {
    const cells = this.#cells;
    return {
      get isSet() {
        return Atomics.load(cells, data.CELL_STOP) !== 0;
      },
    };
  }

  /** For one scan, or a part of one. */
  taskOf(state: ShardState): Task {
    return new Task({
      clock: this.#clock,
      stop: this.stop,
      throttle: this.throttle,
      sink: state,
    });
  }

  budgetOf(state: ShardState): FindingBudget {
    return new FindingBudget(
      { cells: this.#cells, at: data.CELL_FINDINGS_LEFT },
      { cells: state.cells, at: data.CELL_FINDINGS },
    );
  }
}

/** The cells of one shard. */
export class ShardState implements PartSink {
  readonly shard: number;
  readonly cells: Int32Array;
  readonly #longs: BigInt64Array;
  readonly #moved: () => void;

  private constructor(shard: number, cells: SharedArrayBuffer, moved: () => void) {
    this.shard = shard;
    this.cells = new Int32Array(cells);
    this.#longs = new BigInt64Array(cells);
    this.#moved = moved;
  }

  /** Of a shard that nobody has begun to scan. `moved` is told of each step. */
  static create(task: data.ScanTask, moved: () => void = () => {}): ShardState {
    const state = new ShardState(task.shard, new SharedArrayBuffer(data.SHARD_CELLS_BYTES), moved);
    state.#longs[data.LONG_CELL_TOTAL] = BigInt(bytesToRead(task));
    if (task.sidecarPath === null) state.decideSidecar(false);
    return state;
  }

  /** In another thread. */
  static over(task: data.ScanTask, cells: SharedArrayBuffer): ShardState {
    return new ShardState(task.shard, cells, () => {});
  }

  get buffer(): SharedArrayBuffer {
    return this.cells.buffer as SharedArrayBuffer;
  }

  /** What is read more than once is announced; the rest was known from the beginning. */
  announced(part: Part): void {
    if (part.name !== "again") return;
    Atomics.add(this.#longs, data.LONG_CELL_TOTAL, BigInt(part.totalBytes));
  }

  moved(part: Part, bytes: number): void {
    Atomics.add(this.#longs, data.LONG_CELL_DONE, BigInt(bytes));
    Atomics.store(this.cells, data.CELL_PART, PARTS.indexOf(part.name));
    Atomics.store(this.cells, data.CELL_PART_NUMBER, part.number);
    Atomics.store(this.cells, data.CELL_PARTS, part.of);
    this.#moved();
  }

  /** The scan is over: what could not be read is not waited for. */
  finish(): void {
    const total = Atomics.load(this.#longs, data.LONG_CELL_TOTAL);
    Atomics.store(this.#longs, data.LONG_CELL_DONE, total);
    this.#moved();
  }

  /** Says whether the words of the sidecar are to be compared. */
  decideSidecar(isCompared: boolean): void {
    const word = isCompared ? data.SIDECAR_COMPARED : data.SIDECAR_LEFT;
    Atomics.store(this.cells, data.CELL_SIDECAR, word);
  }

  /** Null: not known yet. */
  get comparesSidecar(): boolean | null {
    const word = Atomics.load(this.cells, data.CELL_SIDECAR);
    return word === data.SIDECAR_UNKNOWN ? null : word === data.SIDECAR_COMPARED;
  }

  progress(): ShardProgress {
    return {
      shard: this.shard,
      bytesDone: Number(Atomics.load(this.#longs, data.LONG_CELL_DONE)),
      bytes: Number(Atomics.load(this.#longs, data.LONG_CELL_TOTAL)),
      part: PARTS[Atomics.load(this.cells, data.CELL_PART)] ?? "slots",
      partNumber: Atomics.load(this.cells, data.CELL_PART_NUMBER),
      parts: Atomics.load(this.cells, data.CELL_PARTS),
    };
  }
}

/** The parts that are known before the scan: sidecar, slots, tail. */
function bytesToRead(task: data.ScanTask): number {
  const { slotSize } = task.layout;
  const sidecar = task.sidecarPath === null ? 0 : sidecarBytes(task.slotCount);
  const slots = readableSlots(task) * slotSize;
  return sidecar + slots + tailSlots(task) * slotSize;
}

/** Whole slots that the file has past those that its header counts. */
export function tailSlots({ slotCount, layout, fileBytes }: data.ScanTask): number {
  const inFile = Math.floor((fileBytes - slotOffset(0, layout.slotSize)) / layout.slotSize);
  return Math.max(0, inFile - slotCount);
}
