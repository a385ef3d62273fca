// What the thread of a shard and the supervisor's tell each other without a message: when it last heard from its leader, as its figures
// come once a second only; that it lives, and which call of the disk it is in since when, while it can say nothing; and that it is to
// stop, while it hears nothing.

import {
  type Attention,
  type CallUnderWay,
  DISK_CALLS,
  type DiskCallName,
} from "../../store/attention.ts";

const LAST_FRAME = 0;
const PULSE = 1;
/** 0: none is under way. */
const CALL_SINCE = 2;
const CALL_NAME = 3;
const STOP = 4;
const CELL_COUNT = 5;

/** Times are monotonic ms (io/clock.ts), and 0 before the first. */
export class SharedCells implements Attention {
  /** Crosses to a thread as it is. */
  readonly memory: SharedArrayBuffer;
  /** Each is an aligned f64: written and read in one piece by the processors that this runs on. */
  readonly #cells: Float64Array;

  constructor(memory = new SharedArrayBuffer(CELL_COUNT * Float64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#cells = new Float64Array(memory);
  }

  // ---- the thread of the shard ----

  noteFrame(atMs: number): void {
    this.#cells[LAST_FRAME] = atMs;
  }

  began(call: DiskCallName, atMs: number): void {
    this.#cells[CALL_NAME] = DISK_CALLS.indexOf(call);
    this.#cells[CALL_SINCE] = atMs;
  }

  ended(): void {
    this.#cells[CALL_SINCE] = 0;
  }

  isStopped(atMs: number): boolean {
    this.#cells[PULSE] = atMs;
    return this.#cells[STOP] === 1;
  }

  get isToStop(): boolean {
    return this.#cells[STOP] === 1;
  }

  // ---- the supervisor's ----

  /** Null: none since the thread was started. */
  get lastFrameAtMs(): number | null {
    return this.#timeIn(LAST_FRAME);
  }

  /** When the thread was last seen to live in the middle of long work; null: in none so far. */
  get pulseAtMs(): number | null {
    return this.#timeIn(PULSE);
  }

  get call(): CallUnderWay | null {
    const sinceMs = this.#timeIn(CALL_SINCE);
    const call = DISK_CALLS[this.#cells[CALL_NAME] as number];
    return sinceMs === null || call === undefined ? null : { call, sinceMs };
  }

  stop(): void {
    this.#cells[STOP] = 1;
  }

  #timeIn(cell: number): number | null {
    const atMs = this.#cells[cell] as number;
    return atMs === 0 ? null : atMs;
  }
}
